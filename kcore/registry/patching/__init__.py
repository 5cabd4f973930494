"""Patches: JSON trees made from JSON trees, by the rules of three documents that say what should change.

`patch.prepare` reads a patch request once; what it gives is applied to the standing object as often as another
writer comes between. The rules themselves are pure functions over trees.
"""
