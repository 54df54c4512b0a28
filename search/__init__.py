"""From an index to answers: encode a query, search by several retrievers, fuse, show.

Reading order:
    answer, hit, record, errors      what comes back: hits, each a structure as flat JSON
    limits, filters, retrievers      what may be asked; one query through the retrievers
    fusion, lines                    one ranking of several; lines that match
    asked, related, ranking          what a query asks for, which decides the order of the hits
    evidence, confidence             how sure it is that there is an answer
    symbols, locations, lookup       what people write for symbols and lines; structures by both
    cargo_tests                      which structures a test runner runs
    graph, walk, callees             the edges of an index; walks along them, in both directions
    references                       who refers to what: places, callers, callees, tests
    request, edges, told             what a caller asks for; filters and answers by references
    encoding, engine                 models that read a query; the searcher
    relations                        the same as every interface shows it
    changes, impact                  structures that changed; what reaches them, also which tests
    sources, projection              the text of indexed files; the map of the structures
    published, opening, service      from settings to an index, to a searcher; what stays open
    web, page, mcp                   the HTTP API, its page, the MCP server for coding agents
    judged, statistics, evaluate     how good answers are, by queries with known answers
    calibrate, calibrations          the confidence, fitted to such queries; what was fitted

docs/search.md says how to use it.
"""
