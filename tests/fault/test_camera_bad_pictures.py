"""Pictures that are cut off, of another size, grey, or none at all: counted and named, and the camera films on."""

import contextlib
import json
import pathlib
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.camera import capture as capture_module
from hal.camera.capture import capture
from hal.camera.mailbox import MailboxFds, MailboxReader, Token
from hal.camera.pixels import TOO_MANY, JpegDecoder, bgr_of
from hal.camera.rpicam import RpicamCamera, RpicamOptions, open_camera
from hal.clock import SYSTEM_CLOCK
from tests.support.video import fake_rpicam, jpeg_of, stamped

PICTURE = stamped(7, 256, 144)
WHOLE = jpeg_of(PICTURE)
CUT_OFF = WHOLE[: len(WHOLE) // 2] + b"\xff\xd9"
"""Half a picture with an end, as a cable that loses bytes leaves it."""


def bomb() -> bytes:
    """A picture whose header says 65,000 x 65,000 pixels."""
    at = WHOLE.index(b"\xff\xc0")
    return WHOLE[: at + 5] + struct.pack(">HH", 65000, 65000) + WHOLE[at + 9 :]


@pytest.mark.parametrize("jpeg", [b"", b"\xff\xd8\xff\xd9", WHOLE[:40], CUT_OFF, bomb()])
def test_bytes_that_are_no_picture_are_counted(jpeg: bytes) -> None:
    decoder = JpegDecoder()
    assert decoder.decode(jpeg) is None
    assert decoder.undecodable == 1
    assert decoder.problem() is None, "one is a disturbance"


@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=20), st.integers(0, len(WHOLE))
)
@settings(max_examples=200, deadline=None)
def test_bytes_that_were_changed_never_raise(changes: list[tuple[int, int]], end: int) -> None:
    damaged = bytearray(WHOLE)
    for at, value in changes:
        damaged[at] = value
    image = JpegDecoder().decode(bytes(damaged[:end]))
    assert image is None or (image.ndim == 3 and image.dtype == np.uint8)


def test_ten_in_a_row_are_a_fault_until_one_is_whole_again() -> None:
    decoder = JpegDecoder()
    for _ in range(TOO_MANY):
        decoder.decode(CUT_OFF)
    assert decoder.problem() == f"{TOO_MANY} pictures in a row cannot be decoded; check the cable and its plugs"
    assert decoder.decode(WHOLE) is not None
    assert decoder.problem() is None
    assert decoder.undecodable == TOO_MANY


def test_a_grey_picture_has_three_colours_that_are_the_same() -> None:
    grey = PICTURE[:, :, 1]
    for given_as in (grey, grey[..., None]):
        image = bgr_of(given_as)
        assert image is not None
        assert image.shape == PICTURE.shape
        assert (image == grey[..., None]).all()
    decoded = JpegDecoder().decode(cv2.imencode(".jpg", grey)[1].tobytes())
    assert decoded is not None
    assert decoded.shape == PICTURE.shape


class Source:
    """What OpenCV opens: gives the pictures in turn (None: it cannot be decoded), then nothing."""

    def __init__(self, pictures: "Sequence[npt.NDArray[Any] | None]") -> None:
        self.left = list(pictures)

    def isOpened(self) -> bool:
        return True

    def get(self, _prop: int) -> float:
        return 25.0

    def grab(self) -> bool:
        return bool(self.left)

    def retrieve(self, _buffer: object) -> "tuple[bool, npt.NDArray[Any] | None]":
        image = self.left.pop(0)
        return image is not None, image


def captured(
    pictures: "Sequence[npt.NDArray[Any] | None]", monkeypatch: pytest.MonkeyPatch
) -> tuple[list[dict[str, Any]], tuple[Token, npt.NDArray[np.uint8]] | None]:
    """What a capture of a live source says, and the newest picture it has published."""
    source = Source(pictures)
    monkeypatch.setattr(capture_module, "open_source", lambda _request: source)
    fds = MailboxFds.create()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        capture({"kind": "v4l2", "source": "/dev/video0", "fps": None, "max_fps": None}, theirs, fds.for_writer())
        theirs.shutdown(socket.SHUT_WR)
        said, newest = [], None
        reader = MailboxReader(fds)
        while True:
            data, memory, _flags, _address = socket.recv_fds(ours, 8192, 1)
            if not data:
                return said, newest
            said.append(json.loads(data))
            if memory:
                reader.map(memory[0], said[-1]["height"], said[-1]["width"])
                newest = reader.take()


def test_a_grey_camera_films(monkeypatch: pytest.MonkeyPatch) -> None:
    said, newest = captured([PICTURE[:, :, 1]] * 3, monkeypatch)
    assert said[0]["event"] == "open"
    assert newest is not None
    assert (newest[1] == PICTURE[:, :, 1:2]).all()


def test_pictures_that_cannot_be_decoded_are_counted_beside_those_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    _said, newest = captured([PICTURE, None, None, PICTURE], monkeypatch)
    assert newest is not None
    assert (newest[0].sequence, newest[0].undecodable) == (2, 2)


def test_a_camera_of_which_nothing_can_be_decoded_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said, _newest = captured([PICTURE, *[None] * TOO_MANY, PICTURE], monkeypatch)
    assert said[-1]["event"] == "failed"
    assert f"{TOO_MANY} pictures in a row cannot be decoded" in said[-1]["reason"]
    assert said[-1]["undecodable"] == TOO_MANY


@pytest.mark.parametrize("form", [PICTURE.astype(np.uint16), np.zeros((144, 256, 4), np.uint8)])
def test_a_camera_of_another_pixel_format_is_named(form: npt.NDArray[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    said, _newest = captured([form], monkeypatch)
    assert said == [{"event": "failed", "reason": said[0]["reason"]}]
    assert str(form.dtype) in said[0]["reason"]
    assert "fourcc" in said[0]["reason"]


def test_a_camera_that_changes_its_size_is_opened_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said, _newest = captured([PICTURE, PICTURE[::2, ::2].copy()], monkeypatch)
    assert said[-1]["again"] is True
    assert "changed from 256x144 to 128x72" in said[-1]["reason"]


@pytest.fixture
def broken_rpicam(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    folder = fake_rpicam(tmp_path / "bin", "plays")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    yield folder


def until(camera: RpicamCamera, wanted: Any, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not wanted():
        assert time.monotonic() < deadline, camera.problem()
        camera.read(0.1)


def test_a_ribbon_cable_that_loses_bytes_costs_those_pictures_only(broken_rpicam: pathlib.Path) -> None:
    for path in sorted(broken_rpicam.glob("*.jpg"))[::2]:
        path.write_bytes(CUT_OFF)
    with contextlib.closing(open_camera("c_csi", RpicamOptions(fps=30.0), SYSTEM_CLOCK)) as camera:
        until(camera, lambda: camera.undecodable >= 3)
        until(camera, lambda: camera.read(0.1) is not None)
        assert camera.problem() is None
        assert camera.restarts == 0


def test_a_ribbon_cable_that_spoils_every_picture_is_named(broken_rpicam: pathlib.Path) -> None:
    for path in sorted(broken_rpicam.glob("*.jpg")):
        path.write_bytes(CUT_OFF)
    with contextlib.closing(open_camera("c_csi", RpicamOptions(fps=30.0), SYSTEM_CLOCK)) as camera:
        until(camera, lambda: camera.undecodable >= TOO_MANY)
        assert "in a row cannot be decoded" in (camera.problem() or "")
