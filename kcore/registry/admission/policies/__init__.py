"""Which admission policies concern a request: their bindings, and the params that these name.

What the policies then say is evaluated by `kcore.registry.policies`; the plugins, `validating_admission_policy` and its
mutating sibling, decide what follows from it.
"""
