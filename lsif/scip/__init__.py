"""Reads SCIP indexes (https://github.com/scip-code/scip) into the tables of lsif.reader.

wire                the fields of an index, one at a time
schema              the messages in them, as far as they are read
symbols             the grammar of symbols
rust_symbols        what rust-analyzer's symbols say
described           what a symbol's information says: the hovers and tags of a dump of LSIF
occurrences         the places of one document
documents           one document into the tables: which definition each place refers to
filling             the tables while they are filled: numbers symbols and definitions
read                an index into tables

Nothing outside this package knows the format.
"""
