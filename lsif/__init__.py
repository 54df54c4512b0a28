"""From a Rust repository to structures.jsonl: make a dump, read it, find each definition's source.

Read it in the order in which data passes through it:

record, structure, blocks    the record: what comes out at the end, and everything else passes on
identifiers                  what an identifier is, and which spellings are one name
manifests/                   what a repository's Cargo.toml files say
dump/                        makes a dump, or finds one that can be used again
reader/                      reads a dump of LSIF; nothing outside knows the file format
scip/                        reads an index of SCIP into the same tables
formats                      tells which of both a dump is
items, lines, comments       what every language's finder returns and uses
rust/                        finds the definitions in Rust sources, and the modules that they are in
other/                       finds them in sources of other languages
build_output                 which files under the root a build wrote
selection, listing           which files there are, which are left out, which a program wrote
snippets                     the source that a record shows, bounded by the size of its file
paths, join, builder         joins definitions and sources into records, file by file
columns                      positions as numbers; columns in UTF-16, whatever a dump counts in
anchors, spans, guesses      where a file's records stand, and which definitions they are; what
                             those refer to that no dump has
references/                  which record refers to which, and the file of all places
file_records, inventory      the records of a file; what became of each file of the repository
assembly, extract            what is known of each file, and the whole stage
workers, ledger              on several cores, with each definition accounted for
coverage                     how much of the repository the records cover
errors                       what can go wrong
jsonl, imports               reads and writes files of records; imports the tutorial's format
"""
