"""Finds definitions in sources of other languages than Rust.

grammars              declarations of languages that have a grammar here
brackets, kinds       where a declaration ends and what it is, for all other languages
leading_docs          documentation and attributes above a declaration
finder                which declarations the definitions of a dump are
"""
