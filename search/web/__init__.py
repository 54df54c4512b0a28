"""The HTTP API and the page.

Reading order: models (the JSON, as OpenAPI describes it), parameters (what requests may say),
replies (how answers and errors are sent), app (the routes), graph (those about references), metrics
(for Prometheus). The page itself is in search/page.
"""
