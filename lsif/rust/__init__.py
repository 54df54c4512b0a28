"""Finds definitions in Rust sources, by tree-sitter's grammar.

signature, docs       declarations and documentation as text
nodes, grammar        single nodes as items and scopes; the grammar's parser and queries
syntax                one file: which item's name is at a position
modules               which module a file is, and which files only tests compile
finder                which items the definitions of a dump are
"""
