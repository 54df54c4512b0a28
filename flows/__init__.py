"""The wiring: a Prefect flow with one task per stage, reports, deployments, the command line.

In reading order; each imports only what is below it:

cli             one module per command
deploy          deployments on a Prefect server that stays, and the flow `reindex` that they run
doctor          checks what a run needs
orchestration   runs the flow with the configured Prefect server, or a temporary one
ingest          the flow
lanes, tasks    parsing and embedding side by side; stages as Prefect tasks, runners for them
stages          the stages as plain functions
stage_clock     times of stages, for the report
source          what a run starts from
server          a Prefect server: its API, its settings, the temporary one
report          what a run did: files, pages, artifacts, metrics
locks, errors   who may work in a data folder; what can go wrong
"""
