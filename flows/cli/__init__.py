"""The command line: one module a command, or a small family of commands.

Reading order: `main` knows every command by name, loads the module of the one that is called, and
turns failures into exit codes; `arguments` has what several commands take; `output` prints results;
then any command: `ingest`, `dump`, `parse`, `search` (with `answers` and `editor`), `refs` (with
`relations`), `impact` (with `changes`), `serve`, `evaluate`, `index` (verify, rollback, export,
import), `remove`, `status`, `checkpoint`, `tune`, `doctor`, `deploy`.
`termination` makes SIGTERM end a command as Ctrl-C does.
"""
