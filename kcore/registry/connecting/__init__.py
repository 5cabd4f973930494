"""Requests that end at a node or in a pod: which container, which address, with which options; decided from objects.

May import what the rest of the registry may. Connecting itself does not belong here: it is the door's.
"""
