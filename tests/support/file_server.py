"""A real HTTP server in the test's process that behaves as told: cuts the line, ignores ``Range``, lies, hangs."""

import contextlib
import dataclasses
import http.server
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping

_RANGE = re.compile(r"bytes=([0-9]+)-")


@dataclasses.dataclass(frozen=True)
class Does:
    """What one request gets. The default: what was asked for."""

    status: int = 200
    cut_at: int | None = None
    """Bytes of the body after which the connection ends."""
    ranges: bool = True
    begins_off: int = 0
    """By so much a part begins elsewhere than was asked for."""
    length: bool = True
    """Whether the answer says how long it is."""
    chunked: bool = False
    hangs: bool = False
    """After ``cut_at`` bytes, or before the first line."""
    trickles: bool = False
    """A header that comes byte by byte, from when ``first`` was done until ``FileServer.to_the_point``."""
    location: str | None = None
    first: Callable[[], object] | None = None
    """Done when half of the body is out."""


RIGHT = Does()


@dataclasses.dataclass
class Asked:
    """One request as it came."""

    path: str
    begins: int | None
    does: Does


class FileServer:
    """Serves ``files`` (path -> bytes) at ``url``. ``then``: what the next requests get, in order; RIGHT after them."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.then: list[Does] = []
        self.always: Does = RIGHT
        self.asked: list[Asked] = []
        self.sent = 0
        self.over = threading.Event()
        self.to_the_point = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with contextlib.suppress(OSError):
                    server._answer(self)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        scheme, host = ("http", "127.0.0.1") if tls is None else ("https", "localhost")
        self.url = f"{scheme}://{host}:{self._server.server_port}"

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        does = self.then.pop(0) if self.then else self.always
        found = _RANGE.fullmatch(request.headers.get("Range", ""))
        begins = None if found is None else int(found[1])
        self.asked.append(Asked(request.path, begins, does))
        if does.hangs and does.cut_at is None:
            self.over.wait(60)
            return
        if does.trickles:
            assert does.first is not None
            does.first()
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not self.to_the_point.wait(0.02) and not self.over.is_set():
                request.wfile.write(b"x")
                request.wfile.flush()
            request.wfile.write(b"\r\n\r\n" + self.files[request.path])
            return
        whole = self.files.get(request.path)
        if whole is None or does.status != 200:
            request.send_response(404 if whole is None else does.status)
            if does.location is not None:
                request.send_header("Location", does.location)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        self._body(request, does, whole, begins if does.ranges else None)

    def _body(self, request: http.server.BaseHTTPRequestHandler, does: Does, whole: bytes, begins: int | None) -> None:
        if begins is not None and begins >= len(whole):
            request.send_response(416)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        body = whole if begins is None else whole[begins:]
        request.send_response(200 if begins is None else 206)
        if begins is not None:
            at = begins + does.begins_off
            request.send_header("Content-Range", f"bytes {at}-{len(whole) - 1}/{len(whole)}")
        if does.chunked:
            request.send_header("Transfer-Encoding", "chunked")
        elif does.length:
            request.send_header("Content-Length", str(len(body)))
        request.send_header("Connection", "close")
        request.end_headers()
        out = body if does.cut_at is None else body[: does.cut_at]
        for half in (out[: len(out) // 2], out[len(out) // 2 :]):
            if half:
                request.wfile.write(b"%x\r\n%s\r\n" % (len(half), half) if does.chunked else half)
                self.sent += len(half)
            if does.first is not None and half is not out:
                request.wfile.flush()
                does.first()
                does = dataclasses.replace(does, first=None)
        if does.chunked and does.cut_at is None:
            request.wfile.write(b"0\r\n\r\n")
        request.wfile.flush()
        if does.hangs:
            self.over.wait(60)


@contextlib.contextmanager
def serving(files: Mapping[str, bytes] | None = None, tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """A server for as long as it is needed."""
    server = FileServer(tls)
    server.files.update(files or {})
    try:
        yield server
    finally:
        server.close()
