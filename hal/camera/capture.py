"""``python -m hal.camera.capture FD``: the nursery's own side, and the capture loop that each of its children runs.

Imports cv2 and numpy and nothing else that is large, because every capture shares these pages. A capture opens one
source, hands its newest picture over by ``hal.camera.mailbox``, and says on its event socket how it fares:
``{"event": "open", "width", "height", "fps"}`` (with the picture memory), ``{"event": "end"}`` (a file is over),
``{"event": "failed", "reason"}``; after the last two it exits.
"""

import array
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from hal.camera.mailbox import MailboxWriter
from hal.camera.pixels import TOO_MANY, bgr_of
from hal.clock import NS_PER_S, SYSTEM_CLOCK
from hal.parent import die_with_parent

MAX_REQUEST_BYTES = 16 * 1024
_FDS = 4
_FALLBACK_FPS = 25.0
"""Pace of a file that does not tell its own rate."""
_MOST_DROPPED = 4
"""Pictures dropped in a row, at most, where a file plays faster than this machine decodes."""


def serve(talk: socket.socket) -> None:
    """Forks a capture for every request until the program has gone."""
    children: dict[int, tuple[int, int]] = {}
    poll = select.poll()
    poll.register(talk, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        for number, (pid, handle) in list(children.items()):
            if handle in ready:
                os.waitpid(pid, 0)
                poll.unregister(handle)
                os.close(handle)
                del children[number]
        if talk.fileno() not in ready:
            continue
        data, fds, _flags, _address = socket.recv_fds(talk, MAX_REQUEST_BYTES, _FDS)
        if not data:
            return
        request = json.loads(data)
        if "kill" in request:
            if request["kill"] in children:
                signal.pidfd_send_signal(children[request["kill"]][1], signal.SIGKILL)
            continue
        nursery = os.getpid()
        pid = os.fork()
        if pid == 0:
            talk.close()
            for _pid, handle in children.values():
                os.close(handle)
            die_with_parent(nursery)
            _child(request, fds)
        for fd in fds:
            os.close(fd)
        handle = os.pidfd_open(pid)
        children[request["start"]] = (pid, handle)
        poll.register(handle, select.POLLIN)


def _child(request: Mapping[str, Any], fds: "list[int] | array.array[int]") -> None:
    """Never returns: the fork must not run the nursery's own clean-up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the program's business; it ends us
    events = socket.socket(fileno=fds[0])
    try:
        capture(request, events, (fds[1], fds[2], fds[3]))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # nobody reads any more
    except (OSError, cv2.error, MemoryError, ValueError) as error:
        _tell(events, {"event": "failed", "reason": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(0)


def _tell(events: socket.socket, event: Mapping[str, Any], fds: tuple[int, ...] = ()) -> None:
    socket.send_fds(events, [json.dumps(event).encode()], list(fds), socket.MSG_NOSIGNAL)


def open_source(request: Mapping[str, Any]) -> cv2.VideoCapture:
    """Opens what ``request`` names: ``{"kind": "v4l2" | "url" | "file", "source", …}``; it may be not opened."""
    if request["kind"] == "v4l2":
        cap = cv2.VideoCapture(request["source"], cv2.CAP_V4L2)
        wanted = [
            (cv2.CAP_PROP_BUFFERSIZE, 1),
            (cv2.CAP_PROP_FOURCC, request["fourcc"] and cv2.VideoWriter.fourcc(*request["fourcc"])),
            (cv2.CAP_PROP_FRAME_WIDTH, request["width"]),
            (cv2.CAP_PROP_FRAME_HEIGHT, request["height"]),
            (cv2.CAP_PROP_FPS, request["fps"]),
        ]
        for prop, value in wanted:
            if value is not None:
                cap.set(prop, value)
        return cap
    if request["kind"] == "url":
        # Read by OpenCV when it opens; nobuffer and low_delay: the newest picture counts, not a smooth one.
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = (
            f"rtsp_transport;{request['rtsp_transport']}|fflags;nobuffer|flags;low_delay"
        )
    return cv2.VideoCapture(request["source"], cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])


def capture(request: Mapping[str, Any], events: socket.socket, mailbox: tuple[int, int, int]) -> None:
    """Captures until the source ends, fails or changes its size. Raises EOFError when the reader has gone."""
    clock = SYSTEM_CLOCK
    is_file = request["kind"] == "file"
    cap = open_source(request)
    if not cap.isOpened():
        _tell(events, {"event": "failed", "reason": "it does not open as video"})
        return
    fps = float(request["fps"] or 0) if is_file else 0.0
    fps = fps or cap.get(cv2.CAP_PROP_FPS)
    if not 0.1 <= fps <= 1000:
        fps = _FALLBACK_FPS
    paced = is_file and request["realtime"]
    least_gap_ns = round(NS_PER_S / request["max_fps"]) if request["max_fps"] else 0
    writer: MailboxWriter | None = None
    shape: tuple[int, ...] = ()
    started_ns = clock.monotonic_ns()
    grabbed = grabbed_this_pass = undecodable = in_a_row = 0
    next_ns = started_ns
    dropped = 0
    while True:
        if not cap.grab():
            if is_file and request["loop"] and grabbed_this_pass:
                cap.release()
                cap = open_source(request)
                grabbed_this_pass = 0
                continue
            done = is_file and grabbed
            _tell(events, {"event": "end"} if done else {"event": "failed", "reason": "it gives no pictures"})
            return
        captured_ns = clock.monotonic_ns()
        grabbed += 1
        grabbed_this_pass += 1
        if paced:
            due_ns = started_ns + round((grabbed - 1) * NS_PER_S / fps)
            late_ns = captured_ns - due_ns
            if late_ns > NS_PER_S:
                started_ns += late_ns  # hopeless: go on at the file's pace from here
            elif late_ns > NS_PER_S / fps and dropped < _MOST_DROPPED:
                dropped += 1
                continue
            dropped = 0
            clock.sleep_s(-late_ns / NS_PER_S)
            captured_ns = clock.monotonic_ns()
        # Half a period of slack, so that 25 frames a second capped to 12.5 takes every second one, not every third.
        if captured_ns < next_ns - NS_PER_S / fps / 2:
            continue
        next_ns = max(next_ns + least_gap_ns, captured_ns)
        ok, given = cap.retrieve(writer.buffer() if writer is not None else None)
        if not ok or given is None:
            undecodable += 1
            in_a_row += 1
            if in_a_row < TOO_MANY:
                continue
            reason = f"{in_a_row} pictures in a row cannot be decoded; check the cable, or set fourcc"
            _tell(events, {"event": "failed", "reason": reason, "undecodable": undecodable})
            return
        in_a_row = 0
        image = bgr_of(given)
        if image is None:
            reason = f"its pictures are {given.dtype} {given.shape}, allowed: grey or BGR of 8 bits; set fourcc: MJPG"
            _tell(events, {"event": "failed", "reason": reason})
            return
        if writer is None:
            shape = image.shape
            writer = MailboxWriter(*mailbox, height=shape[0], width=shape[1])
            _tell(events, {"event": "open", "width": shape[1], "height": shape[0], "fps": fps}, (writer.memory,))
        if image.shape != shape:
            reason = f"its picture changed from {shape[1]}x{shape[0]} to {image.shape[1]}x{image.shape[0]}"
            _tell(events, {"event": "failed", "reason": reason, "again": True})
            return
        buffer = writer.buffer()
        if image.ctypes.data != buffer.ctypes.data:
            np.copyto(buffer, image)
        writer.publish(captured_ns, undecodable)
        if is_file and not request["realtime"]:
            writer.wait_returned()


def main() -> None:
    """Entry point; the only argument is the number of the inherited socket."""
    cv2.setNumThreads(1)
    gc.collect()
    gc.freeze()  # a collection in a capture would write to, and so copy, every page it shares
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
