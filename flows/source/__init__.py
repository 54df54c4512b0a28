"""What a run starts from.

source      a repository, a dump with its sources, or a structures.jsonl: checks, name, identity
git_url     which addresses and refs git is asked for
checkout    a shallow checkout of one ref, reused between runs
"""
