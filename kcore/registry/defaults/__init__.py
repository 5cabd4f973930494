"""What a client may leave out: one function for each kind, filling fresh objects in place."""
