"""Camera by OpenCV: a V4L2 device, a network stream (RTSP, HTTP) or a video file, captured in a process of its own.

Invariants: ``read`` never waits longer than its timeout, whatever the source does: a capture that opens or reads too
long is killed and replaced, and other cameras do not notice. Only the newest picture is handed out; older ones are
overwritten in shared memory and counted. A live source that fails is tried again for ever (``problem`` says why);
only a file that has come to its end is gone for good.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import select
import socket
import stat
from typing import Any

from hal.camera import nursery
from hal.camera.mailbox import MailboxFds, MailboxReader
from hal.camera.restarts import Restarts
from hal.clock import NS_PER_MS, NS_PER_S, Clock
from hal.errors import DeviceLostError, DeviceOpenError
from hal.interfaces import CameraFrame
from hal.options import option
from hal.registry import Driver

_MAX_EVENT_BYTES = 8 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class OpenCvOptions:
    """What a site file may say of an ``opencv`` camera."""

    source: str | int = option(
        "视频来源:设备路径或序号(/dev/video0、0)、网络流(rtsp://…)或视频文件",
        "device path or number (/dev/video0, 0), stream (rtsp://…) or video file",
    )
    width: int | None = option("采集宽度(像素,仅设备)", "capture width, devices only", default=None, ge=64, le=3840)
    height: int | None = option("采集高度(像素,仅设备)", "capture height, devices only", default=None, ge=64, le=2160)
    fourcc: str | None = option(
        "像素格式(仅设备),如 MJPG", "pixel format, devices only, as MJPG", default=None, pattern="[A-Z0-9]{4}"
    )
    fps: float | None = option(
        "设备采集帧率,或文件播放帧率(默认用文件自己的)",
        "capture rate of a device, or playing rate of a file (default: its own)",
        default=None,
        ge=0.5,
        le=240,
    )
    max_fps: float | None = option(
        "最多交出多少帧每秒", "hand over at most this many pictures a second", default=None, ge=0.5, le=240
    )
    loop: bool = option("文件放完后重头再放", "play a file again and again", default=False)
    realtime: bool = option(
        "文件按其帧率播放;否则一帧不漏,读多快放多快",
        "play a file at its rate; otherwise as fast as it is read, skipping nothing",
        default=True,
    )
    rtsp_transport: str = option("RTSP 传输方式", "RTSP transport", default="tcp", choices=("tcp", "udp"))
    open_timeout_s: float = option(
        "多久没打开或没出第一帧就换进程(秒)",
        "a capture without a first picture after this long is replaced, seconds",
        default=8.0,
        ge=0.5,
        le=60,
    )
    stall_s: float = option(
        "多久没有新帧就换进程(秒)",
        "a capture without a new picture for this long is replaced, seconds",
        default=1.0,
        ge=0.2,
        le=30,
    )


def source_kind(source: str | int) -> tuple[str, str | int]:
    """``("v4l2" | "url" | "file", source for OpenCV)``: a number or /dev path is a device, ``scheme://`` a stream."""
    if isinstance(source, int) or source.isdecimal():
        return "v4l2", f"/dev/video{int(source)}"
    if source.startswith("/dev/"):
        return "v4l2", source
    if re.match(r"[a-z][a-z0-9+.-]*://", source):
        return "url", source
    return "file", str(pathlib.Path(source).expanduser().absolute())


def without_password(source: str) -> str:
    """The source as it may be shown and logged."""
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", source)


@dataclasses.dataclass(slots=True)
class _Capture:
    """One capture process as seen from here."""

    number: int
    events: socket.socket
    mailbox: MailboxReader
    mailbox_fd: int
    started_ns: int
    alive_ns: int
    opened: bool = False
    ended: bool = False


class OpenCvCamera:
    """An open camera; see the module. Not thread-safe: one thread reads it."""

    def __init__(self, camera: str, options: OpenCvOptions, clock: Clock) -> None:
        self._camera = camera
        self._options = options
        self._clock = clock
        self._kind, self._source = source_kind(options.source)
        self._shown = f"camera {camera} ({without_password(str(self._source))})"
        self._stall_ns = round(options.stall_s * NS_PER_S)
        self._restarts = Restarts()
        self._capture: _Capture | None = None
        self._due_ns = clock.monotonic_ns()
        self._problem: str | None = "starting"
        self._sequence = 0
        self._overwritten_before = self._undecodable_before = 0
        self._overwritten = self._undecodable = 0
        self._poll = select.epoll()
        self._closed = False
        nursery.enter()

    @property
    def restarts(self) -> int:
        """How many captures failed since the camera was opened."""
        return self._restarts.count

    @property
    def overwritten(self) -> int:
        """Pictures replaced by a newer one before anybody read them."""
        return self._overwritten_before + self._overwritten

    @property
    def undecodable(self) -> int:
        """Pictures that came and were none."""
        return self._undecodable_before + self._undecodable

    def problem(self) -> str | None:
        """Why no pictures come, or None."""
        return self._problem

    def fileno(self) -> int:
        """Readable when ``read`` has something to do; the same for the life of the camera."""
        return self._poll.fileno()

    def read(self, timeout_s: float) -> CameraFrame | None:
        """The newest picture, or None after ``timeout_s``. Raises DeviceLostError when a file has ended."""
        if self._closed:
            raise DeviceLostError(f"{self._shown}: read after close")
        now_ns = self._clock.monotonic_ns()
        deadline_ns = now_ns + round(timeout_s * NS_PER_S)
        capture = self._capture
        if capture is not None and capture.mailbox.release() and not self._options.realtime:
            capture.alive_ns = now_ns  # it waited for us, not we for it
        while True:
            frame = self._newest(now_ns)
            if frame is not None or now_ns >= deadline_ns:
                return frame
            wait_ns = min(deadline_ns, self._next_deadline_ns()) - now_ns
            self._poll.poll(max(0.0, wait_ns / NS_PER_S))
            now_ns = self._clock.monotonic_ns()

    def wait_opened(self) -> None:
        """Waits until the first picture is there. Raises DeviceOpenError with the reason of the first failure."""
        missing = _missing(self._kind, self._source)
        if missing is not None:
            raise DeviceOpenError(f"{self._shown}: {missing}")
        self._start(self._clock.monotonic_ns())
        while not self._restarts.count:
            now_ns = self._clock.monotonic_ns()
            self._listen(now_ns)
            if self._capture is not None and self._capture.opened:
                self._problem = None
                return
            self._poll.poll(max(0.0, (self._next_deadline_ns() - now_ns) / NS_PER_S))
            self._watch(self._clock.monotonic_ns())
        raise DeviceOpenError(f"{self._shown}: {self._problem}")

    def close(self) -> None:
        """Ends the capture process and frees its memory. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._drop()
        self._poll.close()
        nursery.leave()

    def _newest(self, now_ns: int) -> CameraFrame | None:
        if self._capture is None:
            if now_ns >= self._due_ns:
                self._start(now_ns)
            return None
        self._listen(now_ns)
        capture = self._capture
        if capture is None:
            return None
        taken = capture.mailbox.take() if capture.opened else None
        if taken is None:
            if capture.ended:
                raise DeviceLostError(f"{self._shown}: the file has come to its end; set loop: true to repeat it")
            self._watch(now_ns)
            return None
        token, image = taken
        capture.alive_ns = now_ns
        self._problem = None
        self._overwritten, self._undecodable = token.overwritten, token.undecodable
        self._sequence += 1
        return CameraFrame(self._camera, token.captured_ns, image, self._sequence)

    def _start(self, now_ns: int) -> None:
        fds = MailboxFds.create()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"kind": self._kind, **dataclasses.asdict(self._options), "source": self._source}
        try:
            number = nursery.start(request, (theirs.fileno(), *fds.for_writer()))
        except OSError as error:
            ours.close()
            os.close(fds.mailbox_r)
            os.close(fds.returns_w)
            self._retry(now_ns, now_ns, f"no process to capture with: {error}")
            return
        finally:
            theirs.close()
            os.close(fds.mailbox_w)
            os.close(fds.returns_r)
        ours.setblocking(False)
        self._capture = _Capture(number, ours, MailboxReader(fds), fds.mailbox_r, now_ns, now_ns)
        self._poll.register(ours, select.EPOLLIN)
        self._poll.register(fds.mailbox_r, select.EPOLLIN)

    def _listen(self, now_ns: int) -> None:
        """Takes what the capture says of itself."""
        capture = self._capture
        while capture is not None and not capture.ended:
            try:
                data, memory, _flags, _address = socket.recv_fds(capture.events, _MAX_EVENT_BYTES, 1)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data, memory = b"", []
            if not data:
                self._fail(now_ns, "its capture process died")
                return
            event: dict[str, Any] = json.loads(data)
            if event["event"] == "open":
                capture.mailbox.map(memory[0], event["height"], event["width"])
                os.close(memory[0])
                capture.opened = True
                capture.alive_ns = now_ns
                shown_fps = min(event["fps"], self._options.max_fps or event["fps"])
                self._stall_ns = round(max(self._options.stall_s, 3 / shown_fps) * NS_PER_S)
            elif event["event"] == "end":
                capture.ended = True
                self._problem = "the file has come to its end"
                self._poll.unregister(capture.events)
            else:
                self._undecodable = event.get("undecodable", self._undecodable)
                self._fail(now_ns, event["reason"], at_once=event.get("again", False))
                return

    def _watch(self, now_ns: int) -> None:
        """Replaces a capture that has been silent for too long."""
        if self._capture is not None and not self._capture.ended and now_ns >= self._next_deadline_ns():
            if self._capture.opened:
                silent_s = (now_ns - self._capture.alive_ns) / NS_PER_S
                self._fail(now_ns, f"no new picture for {silent_s:.1f} s; its capture is replaced")
            else:
                self._fail(now_ns, f"no first picture within {self._options.open_timeout_s:g} s; {_advice(self._kind)}")

    def _next_deadline_ns(self) -> int:
        if self._capture is None:
            return self._due_ns
        if self._capture.opened:
            return self._capture.alive_ns + self._stall_ns + NS_PER_MS
        return self._capture.started_ns + round(self._options.open_timeout_s * NS_PER_S) + NS_PER_MS

    def _fail(self, now_ns: int, reason: str, *, at_once: bool = False) -> None:
        started_ns = self._capture.started_ns if self._capture is not None else now_ns
        self._drop()
        self._retry(now_ns, started_ns, reason)
        if at_once:
            self._due_ns = now_ns

    def _retry(self, now_ns: int, started_ns: int, reason: str) -> None:
        self._problem = reason
        self._due_ns = self._restarts.failed(now_ns, started_ns=started_ns)

    def _drop(self) -> None:
        capture, self._capture = self._capture, None
        if capture is None:
            return
        nursery.kill(capture.number)
        for fd in (capture.events.fileno(), capture.mailbox_fd):
            with contextlib.suppress(FileNotFoundError):
                self._poll.unregister(fd)
        capture.events.close()
        capture.mailbox.close()
        self._overwritten_before += self._overwritten
        self._undecodable_before += self._undecodable
        self._overwritten = self._undecodable = 0


def _advice(kind: str) -> str:
    return {
        "v4l2": "plug it in again, or look for another program that holds it (fuser)",
        "url": "check the address, user and password, and that the camera answers (ping)",
        "file": "check that it is a video file that is complete",
    }[kind]


def _missing(kind: str, source: str | int) -> str | None:
    """Why the source cannot be opened at all, with what to do; None when there is a chance."""
    if kind == "url":
        return None
    path = pathlib.Path(str(source))
    try:
        mode = path.stat().st_mode
    except OSError as error:
        listing = "v4l2-ctl --list-devices lists devices" if kind == "v4l2" else "check source in the site file"
        return f"{error.strerror}; {listing}"
    if kind == "file" and stat.S_ISDIR(mode):
        return "is a folder, not a video file"
    if kind == "v4l2" and not stat.S_ISCHR(mode):
        return "is not a video device"
    if not os.access(path, os.R_OK):
        return "permission denied; add the user to group video" if kind == "v4l2" else "permission denied"
    return None


def open_camera(camera: str, options: OpenCvOptions, clock: Clock) -> OpenCvCamera:
    """Opens the camera and waits for its first picture. Raises DeviceOpenError, after ``open_timeout_s`` at most."""
    opened = OpenCvCamera(camera, options, clock)
    try:
        opened.wait_opened()
    except BaseException:
        opened.close()
        raise
    return opened


def _claims(options: OpenCvOptions) -> frozenset[str]:
    kind, source = source_kind(options.source)
    return frozenset((f"camera {os.path.realpath(str(source))}",)) if kind == "v4l2" else frozenset()


DRIVER = Driver(options=OpenCvOptions, open=open_camera, claims=_claims)
