"""Where pods come from beside the API server: files and URLs that one node reads.

May import what `kcore.node` may. These pods are static: the node runs them whatever the API server says, and shows it a
mirror of each. Running them does not belong here.
"""
