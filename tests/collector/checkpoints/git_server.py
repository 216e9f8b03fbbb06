"""A Git server on loopback for tests: Git's own `http-backend` behind HTTP, with a user and a password."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

BACKEND = Path("/usr/lib/git-core/git-http-backend")
USER, PASSWORD = "collector", "push-only"


def git(*arguments: str | Path) -> str:
    """What git says."""
    done = subprocess.run(["git", *map(str, arguments)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class GitServer:
    """One empty repository, `shop.git`, and how to reach it."""

    def __init__(self, directory: Path, port: int) -> None:
        self.repository = directory / "shop.git"
        self.url = f"http://127.0.0.1:{port}/shop.git"
        git("init", "--quiet", "--bare", "--initial-branch=main", self.repository)
        git("-C", self.repository, "config", "http.receivepack", "true")
        # As the server of a protected branch does.
        git("-C", self.repository, "config", "receive.denyNonFastForwards", "true")
        git("-C", self.repository, "config", "receive.denyDeletes", "true")


@contextmanager
def git_server(directory: Path) -> Iterator[GitServer]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if self.headers.get("authorization") != f"Basic {expected}":
                self.send_response(401)
                self.send_header("www-authenticate", 'Basic realm="git"')
                self.send_header("content-length", "0")
                self.end_headers()
                return
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            environment = {
                **os.environ, "GIT_PROJECT_ROOT": str(directory), "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": USER,
                "PATH_INFO": parts.path, "QUERY_STRING": parts.query, "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            }  # fmt: skip
            done = subprocess.run([BACKEND], input=body, env=environment, capture_output=True, check=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield GitServer(directory, server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
