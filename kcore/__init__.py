"""kcore: the whole Kubernetes control plane in one Python process.

`python -m kcore serve` runs it; `kcore.cluster` builds it. Each package's docstring says what lives there.
"""
