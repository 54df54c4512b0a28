"""What a run reports, and where.

In reading order:

model                      the report as data, and its ledger
coverage                   what a run's coverage means, in words
text                       the report for a terminal
charts, rows, page         the report as an HTML page (page.html.j2, parts.html.j2, page.css)
history                    reports and pages on disk, of the last runs
artifacts, metrics         the report in Prefect, and for Prometheus
publish                    writes all of these at the end of a run
"""
