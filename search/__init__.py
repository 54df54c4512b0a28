"""From an index to answers: encode a query, search with several retrievers, fuse, show.

In reading order:

record, hit, answer     what comes back
errors, limits          what can go wrong; how large a query and an answer may be
filters, retrievers     what a search is restricted to; one query by each retriever
fusion, confidence      one ranking of several; how sure it is
lines, lookup           lines that match best; structures by name
encoding, engine        models that read a query; the searcher
opening, service        from settings to a searcher; searchers that stay open
web, mcp                HTTP and the page; coding agents
projection              the map
judged, statistics, evaluate    judged queries to NDCG, MRR, recall, AUROC, paired bootstrap

docs/search.md says how to use it.
"""
