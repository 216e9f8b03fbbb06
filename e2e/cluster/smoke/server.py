"""Runs inside the pods of the smoke check: `server.py plain PORT`, or `server.py admission PORT` with TLS.

plain answers every GET; admission annotates every pod that it is asked about. Standard library only: it runs in the
base image as it is.
"""

import base64
import json
import signal
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATCH = [{"op": "add", "path": "/metadata/annotations", "value": {"smoke": "mutated"}}]


class Handler(BaseHTTPRequestHandler):
    """Both roles: they differ in the method that they are asked with."""

    def do_GET(self) -> None:
        self._answer(b"the sidecar answers\n", "text/plain")

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        patch = base64.b64encode(json.dumps(PATCH).encode()).decode()
        review["response"] = {
            "uid": review.pop("request")["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": patch,
        }
        self._answer(json.dumps(review).encode(), "application/json")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    role, port = sys.argv[1:]
    # The first process of a container has no default action for signals: without this it would have to be killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer(("", int(port)), Handler)
    if role == "admission":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sys.stdout.write(f"{role} listens on {port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
