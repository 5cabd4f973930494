"""Black-box tests: a served kcore, and the real clients that users have."""
