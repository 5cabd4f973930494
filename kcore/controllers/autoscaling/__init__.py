"""The horizontal pod autoscaler: what is measured, how many replicas follow from it, and how fast they may come and go.

May import what its parent may. Only `controller.py` writes; the other modules compute.
"""
