"""Makes dumps. Read choice (with Cargo, or by a model), run and rust_analyzer (make one), cache.

`project` is the model, `cargo` asks Cargo first, `cargo_features` hands it features, `cache` keeps
dumps, `messages` reads what rust-analyzer said, and `inputs` finds everything that decides what a
dump holds.
"""
