"""`python -m flows` is `lsif-ingest`."""

from flows.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
