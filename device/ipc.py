"""Local sockets between the processes: who listens where, and one message = one JSON object = one packet.

Invariants: standard library only (guard uses it); a slow or dead peer never blocks a sender; a message that is not
a JSON object is dropped, never raised.

    guard.sock (guard listens)
        core -> guard   lease    {"seq", "lease_ms", "brightness_pct", "lamps": {id: {"shows", "caused_by_ns"}}}
        core -> guard   restart  {"kind": "restart"}, when guard's compiled config changed
        guard -> core   state    {"kind": "state", "safe": reason | null,
                                  "lamps": {id: {"shows", "on", "problem"}}, "heartbeat_problem": text | null,
                                  "ignored": messages that were no lease}, on a change and every second
    vision.sock (core listens)
        vision -> core  {"kind": "observation", "camera", "captured_ns", "zones": {approach: {zone: {class: n}}},
                         "users": [{"approach", "zone", "class", "distance_m", "lateral_m"}, ...] if calibrated,
                         "boxes": [[class, score, x0, y0, x1, y1], ...]}
                        {"kind": "camera", "camera", "problem": text | null, "fps", counts, "view": {"state", …}},
                         on a change and every second
                        {"kind": "vision", "ready", "problem": text | null, "inference_p99_ms"}, likewise
        core -> vision  {"kind": "restart"}, when its configuration changed
                        {"kind": "accept_view", "camera"}: what this camera looks at now is right
                        {"kind": "snapshot", "camera"}: its next picture is wanted (recording.snapshots)
    core.sock (core listens; a stream of JSON lines, see device.control)
"""

import contextlib
import json
import pathlib
import socket
from typing import Any

GUARD_SOCKET = "guard.sock"
VISION_SOCKET = "vision.sock"
CORE_SOCKET = "core.sock"
GUARD_CONFIG = "guard.json"
SITE_CONFIG = "site.json"

EXIT_RESTART = 75
"""EX_TEMPFAIL of sysexits.h: "start me again", how a process asks for its new configuration."""

MAX_PACKET_BYTES = 192 * 1024
"""Below Linux's default socket buffer (208 KiB), so one packet always fits."""


def listen(path: pathlib.Path, *, mode: int = 0o660) -> socket.socket:
    """A non-blocking packet socket that listens on ``path``; a stale socket file is replaced."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(str(path))
    path.chmod(mode)
    server.listen(8)
    server.setblocking(False)
    return server


def connect(path: pathlib.Path) -> socket.socket:
    """A packet socket connected to ``path``. Raises OSError when nobody listens there."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    return client


def send(peer: socket.socket, message: dict[str, Any]) -> bool:
    """Sends one message without waiting; False when the peer is slow (dropped). Raises OSError when it is gone."""
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MAX_PACKET_BYTES:
        raise ValueError(f"message of {len(data)} bytes; at most {MAX_PACKET_BYTES}")
    try:
        peer.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except BlockingIOError:
        return False
    return True


def receive(peer: socket.socket) -> dict[str, Any] | None:
    """One message, or None when the packet was no JSON object. Raises EOFError when the peer has gone, and what
    ``recv`` raises (BlockingIOError, TimeoutError, OSError)."""
    data = peer.recv(MAX_PACKET_BYTES)
    if not data:
        raise EOFError("peer closed")
    with contextlib.suppress(ValueError, RecursionError):
        message = json.loads(data)
        if isinstance(message, dict):
            return message
    return None
