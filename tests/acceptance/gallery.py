"""A server of images: real files over real HTTP, in part where that is asked for."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from uuid import uuid4

#: Part of every URL, as the signature of a signed one is; no log may show it.
SIGNATURE: Final = "X-Signature=SIGNED"


@dataclass(slots=True)
class Picture:
    """One URL, what it answers, and how often and for what it was asked."""

    url: str
    file: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    #: How long the file is said to be; None: as long as it is.
    length: int | None = None
    ranges: list[str | None] = field(default_factory=list)


class Gallery:
    """The server, and its pictures by path."""

    def __init__(self) -> None:
        self._pictures: dict[str, Picture] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def show(self, file: bytes = b"", **facts: object) -> Picture:
        """A picture at a new URL; ``facts`` are the picture's."""
        path = f"/{uuid4().hex}.png"
        url = f"http://127.0.0.1:{self._server.server_address[1]}{path}?{SIGNATURE}"
        self._pictures[path] = picture = Picture(url, file)
        for name, value in facts.items():
            setattr(picture, name, value)
        return picture

    def close(self) -> None:
        """End the server and its thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gallery = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                picture = gallery._pictures[self.path.partition("?")[0]]
                asked = self.headers["range"]
                picture.ranges.append(asked)
                self.send_response(206 if asked and picture.status == 200 else picture.status)
                for name, value in picture.headers.items():
                    self.send_header(name, value)
                head = picture.file[: 1 + int((asked or "").rpartition("-")[2] or 2**30)]
                whole = picture.length or len(picture.file)
                self.send_header("Content-Length", str(len(head)))
                self.send_header("Content-Range", f"bytes 0-{len(head) - 1}/{whole}")
                self.end_headers()
                self.wfile.write(head)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # The base class's name.
                """Say nothing: what was asked for is in ``ranges``."""

        return Handler
