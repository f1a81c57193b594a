"""core.sock: how the command line and the bridge ask a running node. JSON lines, one answer per request.

``{"verb", "args", "id"}`` -> ``{"id", "ok": true, "result"}`` or ``{"id", "ok": false, "error"}``. Invariants: the
socket is 0660 (group ``sentinel``); a request can ask and suggest, none can make a lamp dark; a client that sends
nonsense or hangs up costs only its own connection.
"""

import contextlib
import json
import logging
import pathlib
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from device.ipc import CORE_SOCKET

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 1_000_000
Handler = Callable[[str, Mapping[str, Any]], Any]


class ControlError(Exception):
    """The node refused the request; the message is the node's own."""


class NotRunningError(ControlError):
    """Nobody answers on core.sock."""


def call(run_dir: pathlib.Path, verb: str, args: Mapping[str, Any] | None = None, *, timeout_s: float = 5.0) -> Any:
    """Asks the node in ``run_dir`` and returns its result. Raises NotRunningError or ControlError."""
    path = run_dir / CORE_SOCKET
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(timeout_s)
            peer.connect(str(path))
            peer.sendall(json.dumps({"verb": verb, "args": dict(args or {}), "id": 1}).encode() + b"\n")
            with peer.makefile("rb") as lines:
                line = lines.readline(MAX_LINE_BYTES)
    except OSError as error:
        raise NotRunningError(f"{path}: {error.strerror or error}") from error
    if not line.endswith(b"\n"):
        raise NotRunningError(f"{path}: the node hung up")
    answer = json.loads(line)
    if not answer.get("ok"):
        raise ControlError(str(answer.get("error")))
    return answer.get("result")


class ControlServer:
    """Serves core.sock on threads of its own. ``handler(verb, args)`` returns a JSON-able result or raises
    ControlError or ValueError, whose message goes back to the client."""

    def __init__(self, path: pathlib.Path, handler: Handler) -> None:
        path.unlink(missing_ok=True)
        self._handler = handler
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        path.chmod(0o660)
        # Without the group (a desk) the socket stays with its owner.
        with contextlib.suppress(LookupError, PermissionError):
            shutil.chown(path, group="sentinel")
        self._server.listen(16)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops accepting; open connections end with the process."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), name="control-client", daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as lines, contextlib.suppress(OSError):
            peer.settimeout(60)
            while line := lines.readline(MAX_LINE_BYTES):
                answer = self._answer(line)
                peer.sendall(json.dumps(answer, ensure_ascii=False).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, Any]:
        request_id: Any = None
        try:
            request = json.loads(line)
            request_id = request["id"]
            args = request.get("args") or {}
            if not isinstance(args, dict):
                raise TypeError("args must be an object")
            return {"id": request_id, "ok": True, "result": self._handler(str(request["verb"]), args)}
        except (ControlError, ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
            return {"id": request_id, "ok": False, "error": f"{error}" or type(error).__name__}
        except Exception:  # a thread's top: one bad request must not end the socket
            log.exception("event=control_failed")
            return {"id": request_id, "ok": False, "error": "internal error, see the journal of core"}
