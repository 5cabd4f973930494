"""What a cluster wants from the cloud that it runs in, and a cloud in memory that gives it.

May import what its parent may. The Protocol in `provider.py` is all that the controller knows of a cloud.
"""
