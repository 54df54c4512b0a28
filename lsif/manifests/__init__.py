"""What Cargo.toml files say, read without Cargo, which rejects a workspace for one broken member.

tree       what a repository holds: manifests, Rust files, folders that are no part of it
manifest   packages, their features and dependencies
targets    the crates of a package: the root file of each target
"""
