"""Finds definitions in Rust sources, by tree-sitter's grammar.

signature, docs       declarations and documentation as text
scopes, nodes         what surrounds an item; single nodes as items
grammar, calls        the grammar's parser and queries; macro calls and the items spelled in them
code, segments        a source without comments and literals; its items by keywords and brackets
readable, rewrites    a copy of a source; the syntax in it that the grammar does not know
isolate, reading      what can't be read taken out, item by item; a source as the grammar reads it
declared, syntax      one file: the modules it declares, and which item's name is at a position
modules               which module a file is by its place, and which files only tests compile
traits                docs of traits that members of impls inherit
module_tree           which module a file is by what declares it, and its traits
hover_paths           which module a file is, and whose members a macro's items are, by the dump
names                 names and imports, to guess what they mean where no dump knows
witness               what else says something of an item where the grammar had to guess
finder                which items the definitions of a dump are, and which it does not have
"""
