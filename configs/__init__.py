"""Settings, the workspace made of them, and the root of the error tree. The lowest package.

settings    strict types and their loader; default.toml documents every key
workspace   names, paths of the data folder, which model embeds what
errors      the root of every error
"""
