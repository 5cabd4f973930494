"""The storage side of the controller manager: claims find volumes, volumes are made, grown, attached and reclaimed.

May import what its parent may. What a kubelet does with a volume that is attached belongs to `kcore.node`.
"""
