"""Settings and the root of the error tree. Depends on nothing else in the project."""
