"""What stands behind and before an edge, in a network of its own: servers that say what reached them, and a client.

usage: python edge_network.py ADDRESS PORT...

The servers listen on ADDRESS. The client reads a request per line of standard input, and writes its answer as a line of
standard output, both JSON; the first line says that the servers listen. The program ends with its input.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TIMEOUT_S = 10


class Echo(BaseHTTPRequestHandler):
    """Answers with the request: on which port it came in, for which path, with which headers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        port = self.connection.getsockname()[1]
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"port": port, "path": self.path, "headers": headers}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def ask(edge_port: int, host: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    """Send a GET over TLS to the edge, whose certificate is not looked at."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", edge_port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            connection = HTTPConnection(host)
            connection.sock = encrypted
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return {"status": response.status, "body": response.read().decode(errors="replace")}
    except (OSError, HTTPException) as error:
        return {"status": 0, "body": f"{type(error).__name__}: {error}"}


def main(address: str, *ports: str) -> None:
    """Serve, and ask what the lines say."""
    for port in ports:
        server = ThreadingHTTPServer((address, int(port)), Echo)
        Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(ask(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
