"""From structures to vectors: render them as texts, embed the missing ones, keep them as Parquet.

In the order in which data passes through:

text                          recipes: a structure or a block as the text that is embedded
encoder                       fingerprints, keys and what every encoder can do
store, checkpoint             files of (key, vector), on a disk or in a bucket
work_units                    texts that are embedded together, on any machine
embed, plan                   which vectors are missing, and the work units that make them
vectors                       tables of vectors in the order of the records, for the upload
compaction                    drops the vectors that no record refers to
hub, models                   finds and loads models
batching, encoders            how a model runs; see the package encoders
reranker                      a cross-encoder for the first hits of a search
first_token                   what it needs of its last layer
tuning                        trains a model; see the package
errors                        what can go wrong
"""
