"""Who refers to what: the references of a dump as edges between structures, and as places.

scattered    rows on the disk, read back in the order of their keys
collected    the references of a dump, by file, before the files are read
heads        what stands where the dump defines `Self`
numbered     the structures of all files by number, with what implements what
targets      what each reference refers to: a structure, or a symbol outside
tested       how many tests refer to each structure
places       the Parquet file of places, written and read
links        the last pass: edges into the records, places into their file

Memory grows with the structures and the files of a repository, not with the places in them: these
are on the disk from the reader on, and are sorted in pieces.
"""
