"""Deploying the flow on a Prefect server that stays, and running what the server schedules.

Reading order: `reindex` is the flow that deployments run; `prefect.yaml` says when they run;
`deployments` puts a project's deployments on the server and removes them; `serving` runs them in
one process, without a work pool; `pool` makes the work pool; `programs` starts Prefect's own server
and worker; `automations` has the server send notifications; `checks` is what runs before all these.
"""
