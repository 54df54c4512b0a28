"""Settings, the workspace that they make, and the root of the error tree. Imports nothing else here.

settings    strict types and their loader; default.toml documents every key
workspace   names, paths of the data folder, which model embeds what
errors      the root of every error
"""
