"""The volumes of pods that really run: folders of this machine, filled and kept up to date.

May import what `kcore.node` may, but no runtime. How a container sees a folder at its path is the runtime's matter.
"""
