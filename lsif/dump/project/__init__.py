"""A project model of our own: rust-analyzer loads it, and nothing of the repository is executed.

`features` says which features of the manifests are on, `loose` finds roots among files without a
manifest, `foreign` reads a rust-project.json of the repository's own, `model` makes the `crates`,
and `static` has rust-analyzer load them. Nothing here starts a program but git.
"""
