"""Settings, the workspace made of them, and the root of the error tree. The lowest package.

settings    strict types and their loader; default.toml documents every key
tables      TOML: reads files and --set, merges them
globs       patterns as in .gitignore
workspace   names, paths of the data folder, which model embeds what
errors      the root of every error
"""
