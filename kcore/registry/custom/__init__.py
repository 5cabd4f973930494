"""Custom resources: what a CustomResourceDefinition says of its kinds, compiled once, and the strategy that obeys it.

A version's schema becomes a tree of `Schema` nodes; pruning, defaulting and validation are walks over that tree and the
object's. Nothing here is compiled in a request.
"""
