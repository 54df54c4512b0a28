"""Finds definitions in sources of other languages than Rust.

declaration           what was found, whoever found it
c, go, java, javascript, python, nodes    what a name declares, by a language's grammar
preprocessor          single branches of C's conditions
grammars              which language has which grammar and rules
lexer, brackets       strings, comments and brackets of any language; where a declaration ends
kinds, outlined       what a declaration is by its hover, tag and words, where no grammar says it
parsed                declarations by a grammar; where it had to guess, others are asked
leading_docs, signatures    documentation above a declaration; its signature and visibility
finder                which declarations the definitions of a dump are
"""
