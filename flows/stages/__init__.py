"""The stages of a run as plain functions, without Prefect; flows.ingest strings them together.

pipeline    from a source to records: the stages that a run and `ingest --plan` share
check       refuses a run that can't end well, before any work is done
sources     checkout, dump
records     parse a dump, or import a structures.jsonl
vectors     which texts have to be embedded; embeds a work unit
upload      records and vectors to an index that is verified and published

Besides the stages, what commands do with finished work: index (verify, roll back, export, import),
changes (what changed since it was made), checkpoint (inspect, compact), tune (train an encoder) and
material (what it is trained on).
"""
