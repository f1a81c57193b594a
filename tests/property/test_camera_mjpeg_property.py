"""A stream of JPEG pictures is cut the same way however its bytes arrive, and garbage costs only itself."""

import functools
import itertools

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hal.camera.mjpeg import MAX_PICTURE_BYTES, MjpegFramer
from tests.support.video import jpeg_of, stamped


@functools.cache
def picture(number: int) -> bytes:
    """A real JPEG; odd ones carry a whole thumbnail and an end marker inside an APP segment, as cameras do."""
    plain = jpeg_of(stamped(number, 224, 32))
    if number % 2 == 0:
        return plain
    inside = jpeg_of(stamped(number, 208, 16)) + b"\xff\xd9\xff\xd8\xff\xd9"
    return plain[:2] + b"\xff\xe1" + (len(inside) + 2).to_bytes(2, "big") + inside + plain[2:]


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def test_byte_by_byte_is_the_same_as_at_once() -> None:
    stream = b"".join(picture(number) for number in range(4))
    framer = MjpegFramer()
    slowly = [whole for byte in stream for whole in framer.feed(bytes((byte,)))]
    assert slowly == MjpegFramer().feed(stream) == [picture(number) for number in range(4)]
    assert framer.bytes_dropped == 0


@given(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(0, 60_000), max_size=20))
def test_any_split_gives_the_same_pictures(numbers: list[int], cuts: list[int]) -> None:
    stream = b"".join(picture(number) for number in numbers)
    framer = MjpegFramer()
    assert [whole for part in split(stream, cuts) for whole in framer.feed(part)] == [picture(n) for n in numbers]


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_garbage_never_raises(garbage: bytes, cuts: list[int]) -> None:
    framer = MjpegFramer()
    for part in split(garbage, cuts):
        framer.feed(part)


@given(st.binary(max_size=200).filter(lambda noise: b"\xff" not in noise))
def test_pictures_after_garbage_come_through(noise: bytes) -> None:
    framer = MjpegFramer()
    assert framer.feed(noise + picture(0) + noise + picture(1)) == [picture(0), picture(1)]
    assert framer.bytes_dropped == 2 * len(noise)


def test_a_picture_cut_off_costs_no_more_than_itself() -> None:
    framer = MjpegFramer()
    whole = framer.feed(picture(0)[:-200] + picture(2) + picture(4))
    assert picture(4) in whole
    assert cv2.imdecode(np.frombuffer(whole[-1], np.uint8), cv2.IMREAD_COLOR) is not None


def test_a_picture_without_an_end_does_not_fill_the_memory() -> None:
    framer = MjpegFramer()
    framer.feed(picture(0)[:-2])
    for _ in range(MAX_PICTURE_BYTES // 1_000_000 + 2):
        framer.feed(bytes(1_000_000))
    assert framer.bytes_dropped > MAX_PICTURE_BYTES
    assert framer.feed(picture(2)) == [picture(2)]
