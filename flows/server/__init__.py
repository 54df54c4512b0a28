"""Prefect servers, without importing Prefect where a command can do without: that takes a second.

environment     Prefect's settings: our defaults, and whether a server is named
api             a server's REST API
temporary       a server for one run
"""
