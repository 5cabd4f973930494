"""The Pod Security Standards as pure checks of a pod's spec."""
