"""From vectors to Qdrant: build a generation of a collection aside, verify it, publish it."""
