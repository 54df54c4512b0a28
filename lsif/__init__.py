"""From a Rust repository to structures.jsonl: make a dump, read it, find each definition's source.

Read it in the order in which data passes through it:

record, structure, blocks    the record: what comes out at the end, and everything else passes on
dump/                        makes a dump, or finds one that can be used again
reader/                      reads a dump; nothing outside knows the file format
items, lines, comments       what every language's finder returns and uses
rust/                        finds the definitions in Rust sources
other/                       finds them in sources of other languages
paths, join, file_records    joins definitions and sources into records, file by file
extract, workers, ledger     the whole stage, on several cores, with each definition accounted for
errors                       what can go wrong
jsonl, imports               reads and writes files of records; imports the tutorial's format
"""
