"""An IP camera on loopback: Motion JPEG over HTTP, ten pictures a second, and we know when each was taken.

A picture is what ``choose(taken_ns)`` returns at its moment, like a shutter; exposure, encoding and a slow network are
not modelled. Any number of clients; one that is too slow loses its connection.
"""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable

from hal.clock import NS_PER_S

_HEADER = (
    b"HTTP/1.0 200 OK\r\nCache-Control: no-cache\r\nContent-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n"
)
_SLOW_S = 1.0


class MjpegCamera(threading.Thread):
    """See the module. ``url`` is what the site file's ``source`` says."""

    def __init__(self, choose: Callable[[int], bytes], *, fps: float = 10.0) -> None:
        super().__init__(name="mjpeg", daemon=True)
        self.choose = choose
        self._period_ns = round(NS_PER_S / fps)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        self._clients: list[socket.socket] = []
        self._stopping = threading.Event()
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/stream.mjpg"

    def run(self) -> None:
        due_ns = time.monotonic_ns()
        while not self._stopping.is_set():
            wait_s = (due_ns - time.monotonic_ns()) / NS_PER_S
            if wait_s > 0:
                if select.select([self._server], [], [], wait_s)[0]:
                    self._accept()
                continue
            taken_ns = time.monotonic_ns()
            due_ns = max(due_ns + self._period_ns, taken_ns)
            self._push(self.choose(taken_ns))

    def close(self) -> None:
        """Ends the stream."""
        self._stopping.set()
        self.join(5)
        for client in self._clients:
            client.close()
        self._server.close()

    def _accept(self) -> None:
        client, _ = self._server.accept()
        client.settimeout(_SLOW_S)
        with contextlib.suppress(OSError):
            client.recv(4096)
            client.sendall(_HEADER)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients.append(client)

    def _push(self, jpeg: bytes) -> None:
        part = b"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(jpeg), jpeg)
        for client in list(self._clients):
            try:
                client.sendall(part)
            except OSError:
                self._clients.remove(client)
                client.close()
