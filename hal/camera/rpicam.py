"""The Pi's CSI camera through ``rpicam-vid`` as a subprocess that writes MJPEG to a pipe, cut into pictures by us.

The venv has no libcamera (it is tied to the system's Python), and a subprocess can be killed when it hangs.

Invariants: ``read`` never waits longer than its timeout; only the newest picture is decoded, older ones are dropped
undecoded and counted; a silent or dead ``rpicam-vid`` is killed and started again, for ever (``problem`` says why).
A ``rpicam-vid`` whose reader was killed ends at its next picture, because its pipe is broken.
"""

import contextlib
import dataclasses
import os
import select
import shutil
import subprocess
import threading
from typing import IO

from hal.camera.mjpeg import MjpegFramer
from hal.camera.pixels import JpegDecoder
from hal.camera.restarts import Restarts
from hal.clock import NS_PER_MS, NS_PER_S, Clock
from hal.errors import DeviceLostError, DeviceOpenError
from hal.interfaces import CameraFrame
from hal.options import option
from hal.registry import Driver

PROGRAM = "rpicam-vid"
_CHUNK_BYTES = 256 * 1024
_LAST_WORDS_BYTES = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class RpicamOptions:
    """What a site file may say of an ``rpicam`` camera."""

    number: int = option("第几个 CSI 摄像机", "which CSI camera", default=0, ge=0, le=3)
    width: int = option("宽度(像素)", "width in pixels", default=1280, ge=64, le=3840)
    height: int = option("高度(像素)", "height in pixels", default=720, ge=64, le=2160)
    fps: float = option("采集帧率", "pictures a second", default=15.0, ge=1, le=60)
    quality: int = option("JPEG 质量(%)", "JPEG quality in per cent", default=80, ge=20, le=100)
    upside_down: bool = option("倒装(转 180 度)", "mounted upside down (turned by 180 degrees)", default=False)
    open_timeout_s: float = option(
        "多久没出第一帧就重启(秒)", "restarted when no first picture comes, seconds", default=8.0, ge=0.5, le=60
    )
    stall_s: float = option(
        "多久没有新帧就重启(秒)", "restarted when no new picture comes, seconds", default=1.0, ge=0.2, le=30
    )


def command(options: RpicamOptions) -> list[str]:
    """The command line; ``--flush`` so that a picture leaves the program when it is complete."""
    words = [PROGRAM, "--codec", "mjpeg", "--timeout", "0", "--nopreview", "--flush", "--verbose", "0"]
    words += ["--camera", str(options.number), "--width", str(options.width), "--height", str(options.height)]
    words += ["--framerate", f"{options.fps:g}", "--quality", str(options.quality)]
    if options.upside_down:
        words += ["--rotation", "180"]
    return [*words, "--output", "-"]


class _Stream:
    """One run of the program and the thread that empties its pipe, so that it never waits for us."""

    def __init__(self, options: RpicamOptions, clock: Clock, wake: int) -> None:
        self.started_ns = self.alive_ns = clock.monotonic_ns()
        self.running = True
        self.overwritten = 0
        self._clock = clock
        self._wake = wake
        self._lock = threading.Lock()
        self._newest: tuple[bytes, int] | None = None
        self._said = b""
        self._process = subprocess.Popen(
            command(options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._thread = threading.Thread(target=self._pump, name=PROGRAM, daemon=True)
        self._thread.start()

    def take(self) -> tuple[bytes, int] | None:
        """The newest picture (JPEG) and when its last byte came, or None."""
        with self._lock:
            newest, self._newest = self._newest, None
        return newest

    def last_words(self) -> str:
        """What the program said last on stderr, one line."""
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"

    def end(self) -> None:
        """Kills the program and waits for it and the thread."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _pump(self) -> None:
        framer = MjpegFramer()
        out, err = _fd(self._process.stdout), _fd(self._process.stderr)
        poll = select.poll()
        poll.register(out, select.POLLIN)
        poll.register(err, select.POLLIN)
        open_fds = {out, err}
        while out in open_fds:
            for fd, _ in poll.poll():
                data = os.read(fd, _CHUNK_BYTES)
                if not data:
                    poll.unregister(fd)
                    open_fds.discard(fd)
                elif fd == err:
                    self._said = (self._said + data)[-_LAST_WORDS_BYTES:]
                elif pictures := framer.feed(data):
                    self._keep(pictures)
        self._process.wait()
        if err in open_fds:
            with contextlib.suppress(BlockingIOError):
                os.set_blocking(err, False)  # a child of the program may still hold it
                self._said = (self._said + (os.read(err, _CHUNK_BYTES) or b""))[-_LAST_WORDS_BYTES:]
        self.running = False
        os.eventfd_write(self._wake, 1)

    def _keep(self, pictures: list[bytes]) -> None:
        captured_ns = self._clock.monotonic_ns()
        with self._lock:
            self.overwritten += len(pictures) - (self._newest is None)
            self._newest = (pictures[-1], captured_ns)
        self.alive_ns = captured_ns
        os.eventfd_write(self._wake, 1)


def _fd(pipe: IO[bytes] | None) -> int:
    assert pipe is not None  # asked for in Popen
    return pipe.fileno()


class RpicamCamera:
    """An open camera; see the module. Not thread-safe: one thread reads it."""

    def __init__(self, camera: str, options: RpicamOptions, clock: Clock) -> None:
        self._camera = camera
        self._options = options
        self._clock = clock
        self._shown = f"camera {camera} (CSI {options.number})"
        self._stall_ns = round(max(options.stall_s, 3 / options.fps) * NS_PER_S)
        self._restarts = Restarts()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stream: _Stream | None = None
        self._due_ns = clock.monotonic_ns()
        self._problem: str | None = "starting"
        self._pending: tuple[bytes, int] | None = None
        self._sequence = 0
        self._overwritten_before = 0
        self._jpegs = JpegDecoder()
        self._closed = False

    @property
    def restarts(self) -> int:
        """How many runs of the program failed since the camera was opened."""
        return self._restarts.count

    @property
    def overwritten(self) -> int:
        """Pictures replaced by a newer one before anybody read them."""
        return self._overwritten_before + (self._stream.overwritten if self._stream is not None else 0)

    @property
    def undecodable(self) -> int:
        """Pictures that were none, or cut off."""
        return self._jpegs.undecodable

    def problem(self) -> str | None:
        """Why no pictures come, or None."""
        return self._problem or self._jpegs.problem()

    def fileno(self) -> int:
        """Readable when ``read`` has something to do; the same for the life of the camera."""
        return self._wake

    def read(self, timeout_s: float) -> CameraFrame | None:
        """The newest picture, or None after ``timeout_s``."""
        if self._closed:
            raise DeviceLostError(f"{self._shown}: read after close")
        now_ns = self._clock.monotonic_ns()
        deadline_ns = now_ns + round(timeout_s * NS_PER_S)
        while True:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            frame = self._newest(now_ns)
            if frame is not None or now_ns >= deadline_ns:
                return frame
            wait_ns = min(deadline_ns, self._next_deadline_ns()) - now_ns
            select.select([self._wake], [], [], max(0.0, wait_ns / NS_PER_S))
            now_ns = self._clock.monotonic_ns()

    def wait_opened(self) -> None:
        """Waits until the first picture is there. Raises DeviceOpenError with the reason of the first failure."""
        if shutil.which(PROGRAM) is None:
            raise DeviceOpenError(f"{self._shown}: no program {PROGRAM} on PATH; apt install rpicam-apps-lite")
        self._start(self._clock.monotonic_ns())
        while not self._restarts.count:
            now_ns = self._clock.monotonic_ns()
            self._pending = self._stream.take() if self._stream is not None else None
            if self._pending is not None:
                self._problem = None
                return
            self._watch(now_ns)
            if not self._restarts.count:
                select.select([self._wake], [], [], max(0.0, (self._next_deadline_ns() - now_ns) / NS_PER_S))
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
        raise DeviceOpenError(f"{self._shown}: {self._problem}")

    def close(self) -> None:
        """Ends the program. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._drop()
        os.close(self._wake)

    def _newest(self, now_ns: int) -> CameraFrame | None:
        if self._stream is None:
            if now_ns >= self._due_ns:
                self._start(now_ns)
            return None
        taken = self._stream.take() or self._pending
        self._pending = None
        if taken is None:
            self._watch(now_ns)
            return None
        jpeg, captured_ns = taken
        image = self._jpegs.decode(jpeg)
        if image is None:
            return None
        self._problem = None
        self._sequence += 1
        return CameraFrame(self._camera, captured_ns, image, self._sequence)

    def _start(self, now_ns: int) -> None:
        try:
            self._stream = _Stream(self._options, self._clock, self._wake)
        except OSError as error:
            self._retry(now_ns, now_ns, f"{PROGRAM} does not start: {error}")

    def _watch(self, now_ns: int) -> None:
        stream = self._stream
        if stream is None or (stream.running and now_ns < self._next_deadline_ns()):
            return
        if not stream.running:
            reason = f"{PROGRAM} ended: {stream.last_words()}; check the ribbon cable and `{PROGRAM} --list-cameras`"
        elif stream.alive_ns == stream.started_ns:
            reason = f"no first picture within {self._options.open_timeout_s:g} s; check the ribbon cable"
        else:
            reason = f"no new picture for {(now_ns - stream.alive_ns) / NS_PER_S:.1f} s; {PROGRAM} is started again"
        started_ns = stream.started_ns
        self._drop()
        self._retry(now_ns, started_ns, reason)

    def _next_deadline_ns(self) -> int:
        stream = self._stream
        if stream is None:
            return self._due_ns
        if stream.alive_ns != stream.started_ns:
            return stream.alive_ns + self._stall_ns + NS_PER_MS
        return stream.started_ns + round(self._options.open_timeout_s * NS_PER_S) + NS_PER_MS

    def _retry(self, now_ns: int, started_ns: int, reason: str) -> None:
        self._problem = reason
        self._due_ns = self._restarts.failed(now_ns, started_ns=started_ns)

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end()
            self._overwritten_before += stream.overwritten


def open_camera(camera: str, options: RpicamOptions, clock: Clock) -> RpicamCamera:
    """Starts the program and waits for its first picture. Raises DeviceOpenError."""
    opened = RpicamCamera(camera, options, clock)
    try:
        opened.wait_opened()
    except BaseException:
        opened.close()
        raise
    return opened


def _claims(options: RpicamOptions) -> frozenset[str]:
    return frozenset((f"camera csi {options.number}",))


DRIVER = Driver(options=RpicamOptions, open=open_camera, claims=_claims)
