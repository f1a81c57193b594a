"""A camera that plays pictures recorded by vision: ``/camera/{id}/image`` of an MCAP file, in their own time.

Does not model: a camera that fails, or pictures faster than they were recorded; its pictures have been through JPEG.
Only the newest picture that is due is decoded. After the last one it raises DeviceLostError, unless ``loop``.
"""

import base64
import binascii
import dataclasses
import json
import pathlib
from collections.abc import Iterator
from typing import IO

from hal.camera.pixels import JpegDecoder
from hal.clock import NS_PER_S, Clock
from hal.errors import DeviceLostError, DeviceOpenError
from hal.interfaces import CameraFrame
from hal.options import option
from hal.registry import Driver


@dataclasses.dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What a site file may say of a ``replay`` camera."""

    path: str = option("录像文件(MCAP)", "recording (MCAP)")
    recorded_as: str | None = option(
        "录制时的摄像机编号(默认同本机编号)", "id of the camera in the recording (default: this one's)", default=None
    )
    loop: bool = option("放完后重头再放", "play again and again", default=False)


@dataclasses.dataclass(frozen=True, slots=True)
class _Recorded:
    log_ns: int
    data: bytes


class ReplayCamera:
    """See the module."""

    def __init__(self, camera: str, options: ReplayOptions, clock: Clock) -> None:
        self._camera = camera
        self._options = options
        self._clock = clock
        self._shown = f"camera {camera} (replay of {options.path})"
        self._topic = f"/camera/{options.recorded_as or camera}/image"
        self._sequence = 0
        self._closed = False
        self.overwritten = 0
        self._jpegs = JpegDecoder()
        self._messages: Iterator[_Recorded] = iter(())
        self._next: _Recorded | None = None
        self._first_log_ns = self._started_ns = 0
        self._file = _open(self._shown, options.path)
        try:
            self._rewind()
            if self._next is None:
                raise DeviceLostError(
                    f"{self._shown}: no pictures on {self._topic}; record them with recording.images: true, or name "
                    "the camera of the recording in recorded_as"
                )
        except DeviceLostError as error:
            self._file.close()
            raise DeviceOpenError(str(error)) from error

    def read(self, timeout_s: float) -> CameraFrame | None:
        """The newest picture that is due, or None after ``timeout_s``. Raises DeviceLostError after the last one."""
        if self._closed:
            raise DeviceLostError(f"{self._shown}: read after close")
        if self._next is None:
            if not self._options.loop:
                raise DeviceLostError(f"{self._shown}: the recording has come to its end; set loop: true to repeat it")
            self._rewind()
        assert self._next is not None  # a recording without pictures is refused at open
        due_ns = self._due_ns(self._next)
        now_ns = self._clock.monotonic_ns()
        if due_ns > now_ns:
            self._clock.sleep_s(min(timeout_s, (due_ns - now_ns) / NS_PER_S))
            now_ns = self._clock.monotonic_ns()
        newest: _Recorded | None = None
        while self._next is not None and self._due_ns(self._next) <= now_ns:
            self.overwritten += newest is not None
            newest, self._next = self._next, next(self._messages, None)
        return self._decode(newest) if newest is not None else None

    def close(self) -> None:
        """Closes the recording."""
        self._closed = True
        self._file.close()

    @property
    def undecodable(self) -> int:
        """Pictures that were none, or cut off."""
        return self._jpegs.undecodable

    def problem(self) -> str | None:
        """Why no pictures come, or None."""
        return self._jpegs.problem()

    def _rewind(self) -> None:
        self._file.seek(0)
        self._messages = self._recorded()
        self._next = next(self._messages, None)
        self._first_log_ns = self._next.log_ns if self._next is not None else 0
        self._started_ns = self._clock.monotonic_ns()

    def _recorded(self) -> Iterator[_Recorded]:
        from mcap.exceptions import McapError
        from mcap.reader import make_reader

        try:
            for _schema, _channel, message in make_reader(self._file).iter_messages(topics=[self._topic]):
                yield _Recorded(message.log_time, message.data)
        except McapError as error:
            raise DeviceLostError(f"{self._shown}: not a whole MCAP file: {error}") from error

    def _due_ns(self, recorded: _Recorded) -> int:
        return self._started_ns + recorded.log_ns - self._first_log_ns

    def _decode(self, recorded: _Recorded) -> CameraFrame | None:
        try:
            jpeg = base64.b64decode(json.loads(recorded.data)["data"], validate=True)
        except (ValueError, KeyError, TypeError, binascii.Error):
            jpeg = b""
        image = self._jpegs.decode(jpeg)
        if image is None:
            return None
        self._sequence += 1
        return CameraFrame(self._camera, self._due_ns(recorded), image, self._sequence)


def _open(shown: str, path: str) -> IO[bytes]:
    try:
        return pathlib.Path(path).open("rb")
    except OSError as error:
        raise DeviceOpenError(f"{shown}: {error.strerror}; check path in the site file") from error


def open_camera(camera: str, options: ReplayOptions, clock: Clock) -> ReplayCamera:
    """Opens the recording. Raises DeviceOpenError when it is not there, not MCAP, or has no pictures of the camera."""
    return ReplayCamera(camera, options, clock)


DRIVER = Driver(options=ReplayOptions, open=open_camera)
