"""Secrets that are tokens: those of service accounts that live as long as their secret, and those that nodes join with.

May import what its parent may. Who comes with a token is the server's question.
"""
