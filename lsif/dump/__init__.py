"""Makes dumps. Read rust_analyzer (runs it), cargo (asks Cargo first), cache (keeps dumps), inputs.

`inputs` finds everything that decides what a dump holds.
"""
