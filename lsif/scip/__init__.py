"""Reads SCIP indexes (https://github.com/scip-code/scip) into the tables of lsif.reader.

wire                the fields of an index, one at a time
schema              the messages in them, as far as they are read
symbols             the grammar of symbols
described           what a symbol's information says: the hovers and tags of a dump of LSIF
definitions         what a document defines, and which of several definitions is meant
read                an index into tables

Nothing outside this package knows the format.
"""
