"""Benchmarks: one question a file, each prints one JSON line with a ratio against a reference of the same run."""
