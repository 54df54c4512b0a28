"""From a Rust repository to structures.jsonl: dump it, read the dump, find each definition's place in the source."""
