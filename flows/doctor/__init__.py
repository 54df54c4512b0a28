"""Checks what a run needs, and says how to mend what is missing.

In reading order:

finding                    what one check found
examination                the list of all checks; runs them side by side
packages, torch            Python, its packages, and what torch weighs
toolchain                  git, rust-analyzer, cargo, a repository to index
coverage                   what an index of that repository would cover
models                     the embedding models
data                       what is kept on disk: checkpoint, space, runs in progress
index, prefect             Qdrant and a Prefect server
"""
