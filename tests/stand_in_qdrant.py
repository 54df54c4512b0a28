"""Stands in for Qdrant's program: a server that knows aliases alone, and forgets them at its end.

The standard library is enough for it, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ALIASES: list[dict[str, str]] = []


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        results = {"/aliases": {"aliases": ALIASES}, "/cluster": {"status": "disabled"}}
        if self.path in results:
            self._answer({"result": results[self.path], "status": "ok", "time": 0.0})
        else:  # the version, and whether it is ready
            self._answer({"title": "stand-in", "version": "1.17.1"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ALIASES.extend(action["create_alias"] for action in body["actions"])
        self._answer({"result": True, "status": "ok", "time": 0.0})

    def _answer(self, fields: dict[str, Any]) -> None:
        body = json.dumps(fields).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    if "QDRANT__SERVICE__API_KEY" in os.environ:
        sys.exit("a key of the shell is for another server")
    port = int(os.environ["QDRANT__SERVICE__HTTP_PORT"])
    ThreadingHTTPServer(("127.0.0.1", port), Connection).serve_forever()
