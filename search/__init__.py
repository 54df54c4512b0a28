"""From an index to answers: encode a query, search by several retrievers, fuse, show.

Reading order: answer, hit and record (what comes back), filters and retrievers (one query), fusion
(one ranking of several), engine (the searcher), opening (from settings to a searcher), service
(searchers that stay open). On top of these are web (HTTP and the page) and mcp (coding agents);
judged, statistics and evaluate measure how good answers are. docs/search.md says how to use it.
"""
