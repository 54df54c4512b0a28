"""From a Rust repository to structures.jsonl: dump it, read the dump, find each definition's place in the source.

In the order in which data passes through them:

rust_analyzer, supervisor         make a dump, within limits
dump_cache, cargo, git            which dumps can be used again
streams, decode, vectorized       bytes to elements; the only modules that know the file format
reader, tables                    elements to tables of numbers
graph, hover                      tables to definitions; they know no source, so that another reader (SCIP, say) could feed them
rust_items, spans, docs, signature    which items of a Rust source the definitions are
outline, grammars, brackets, leading    the same for every other language
join, blocks, structure           items to records
extract, workers, ledger          the whole stage, on several cores, accounted for
"""
