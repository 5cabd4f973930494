"""Advice for clients: what is allowed but old, odd, or without effect. Pure functions from objects to sentences."""
