"""Certificates that are asked for: what is approved without a person, signed by the cluster's signers, and cleaned up.

May import what its parent may. Cryptography is imported where it is used, because it is slow to load.
"""
