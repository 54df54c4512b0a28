"""A project model of our own: rust-analyzer loads it, and nothing of the repository is executed.

`tree` lists files, `manifest` and `targets` read each Cargo.toml, `features` says which are on,
`model` makes the crates, `foreign` reads a rust-project.json of the repository's own. Nothing here
starts a program but git.
"""
