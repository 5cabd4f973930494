"""The event-sourced truth: `commit` is the only write; index, history, watch channels and snapshots are folds.

May import `kcore.api` and `kcore.kit`. What an object means (kinds, validation, selectors) does not belong here.
"""
