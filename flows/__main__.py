"""`python -m flows` is `lsif-ingest`."""

from flows.cli import main

raise SystemExit(main())
