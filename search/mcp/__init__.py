"""The MCP server: what a coding agent can ask.

Reading order: texts (what agents read), models (what tools return), tools (arguments and answers),
server (the protocol on standard input and output).
"""
