"""The functions beyond the language: those of cel-go's extensions and of Kubernetes that a 1.36 server offers.

A module holds one library: its overloads, and the class of its values where it has a type of its own. What a call
costs is said in `kcore.cel.cost`, so that all numbers stand in one place.
"""
