"""The vocabulary of Kubernetes: types, kinds, metadata, selectors, quantities, field paths, the Status errors.

Pure data and pure functions: may import only `kcore.kit` and msgspec. I/O, time and awaiting do not belong here.
"""
