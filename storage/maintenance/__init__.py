"""What is done to an index besides building it.

verify        compare it with the records, ids, contents, positions and vectors
exchange      export it to Parquet files, and import them
rollback      switch back to the previous generation
"""
