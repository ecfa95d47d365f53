"""An HTTP server on a free port of this machine, for a `with` statement: what the fakes of services share."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LocalHandler(BaseHTTPRequestHandler):
    """Answers requests in silence; `service` is the `LocalServer`."""

    service: "LocalServer"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


class LocalServer:
    """Serves with a handler.

    `fault` is None or the name of a fault that the handler knows; `closing` is set when the server ends, so that silent
    threads end with it.
    """

    def __init__(self, handler: type[LocalHandler]):
        self.handler = handler
        self.fault: str | None = None
        self.closing = threading.Event()

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (self.handler,), {"service": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
