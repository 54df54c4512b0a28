"""The index in Qdrant's own engine, in the process; no server is needed.

index         collections: which generation is live, which are kept
generation    one folder with two shards
shards        creates and opens a shard
points        the points of one shard
convert       points, filters and queries as the engine's types
disk          room on the disk, copies of sparse files
"""
