"""The MCP server: what a coding agent can ask.

Reading order: texts (what agents read), models (what searches return), arguments (what tools have
in common), graph (the tools that answer from the references), tools (the others, and how each is
called), server (the protocol on standard input and output).
"""
