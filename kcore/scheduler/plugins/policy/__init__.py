"""Predicates and priorities that only Policy files name: the rules of the first schedulers, on their scale of 0 to 10.

Like the other plugins, each is a file with a pure rule. They are part of no default profile.
"""
