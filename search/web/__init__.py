"""The HTTP API and the page.

Reading order: models (the JSON, as OpenAPI describes it), parameters (what requests may say), app
(the routes), metrics (for Prometheus). The page itself is in search/page.
"""
