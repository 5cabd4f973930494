"""Cluster DNS: Services and endpoints under names (specification "Kubernetes DNS-Based Service Discovery" 1.1.0).

`zone` decides what a question is answered (pure), `directory` knows what there is, `server` speaks UDP and TCP. May
import `kcore.client` and what lies beneath it; which address pods are told to ask does not belong here.
"""
