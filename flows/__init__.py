"""The wiring: a Prefect flow with one task a stage, and the command line."""
