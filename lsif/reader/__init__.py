"""Reads dumps of LSIF; nothing outside this package knows the file format.

streams                          opens a dump, packed or not
languages                        the names that indexers have for languages
elements, decode                 the format's vertices and edges; a line of JSON to one of them
vectorized, read                 the common lines by columns, the others one by one, into tables
tables, spill                    tables of numbers; rows of them that are kept on the disk
follow, graph, hover             tables to definitions; what a hover says

tables and graph know no file format: lsif.scip fills them, too.
"""
