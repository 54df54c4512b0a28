"""TODO package header."""
