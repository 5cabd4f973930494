"""The rules an object must keep, with the wording of upstream: pure functions from objects to field errors."""
