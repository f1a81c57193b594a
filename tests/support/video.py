"""Real video for camera tests: files written by OpenCV, a source that hangs, an ``rpicam-vid`` made of a script."""

import pathlib
import socket
import sys
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

STAMP_BITS = 12
_CELL = 16


def stamped(number: int, width: int, height: int, *, seed: int = 0) -> npt.NDArray[np.uint8]:
    """A noisy grey picture whose top row of cells says its number in black and white, so that it survives JPEG."""
    random = np.random.default_rng(seed * 100_003 + number)
    image = random.integers(70, 140, (height, width, 3), np.uint8)
    for bit in range(STAMP_BITS):
        image[:_CELL, bit * _CELL : (bit + 1) * _CELL] = 255 if number >> bit & 1 else 0
    return image


def number_of(image: npt.NDArray[np.uint8]) -> int:
    """The number on a stamped picture."""
    cells = [image[4 : _CELL - 4, bit * _CELL + 4 : (bit + 1) * _CELL - 4].mean() > 127 for bit in range(STAMP_BITS)]
    return sum(int(on) << bit for bit, on in enumerate(cells))


def write_video(
    path: pathlib.Path, *, frames: int = 30, fps: float = 20.0, width: int = 256, height: int = 144
) -> pathlib.Path:
    """An AVI of stamped pictures 0, 1, 2, … as Motion JPEG."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(stamped(number, width, height))
    writer.release()
    return path


def jpeg_of(image: npt.NDArray[np.uint8]) -> bytes:
    """The picture as JPEG."""
    ok, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 80))
    assert ok
    return data.tobytes()


def silent_server() -> Iterator[str]:
    """An RTSP address on loopback where somebody accepts and never says a word; to be used as a fixture."""
    server = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                accepted.append(server.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/stream"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for peer in accepted:
        peer.close()


RPICAM = """#!{python}
import itertools, os, pathlib, sys, time
home = pathlib.Path({home!r})
(home / "argv").write_text("\\n".join(sys.argv[1:]))
runs = len(list(home.glob("run-*")))
(home / f"run-{{runs}}-{{os.getpid()}}").touch()
pictures = sorted(home.glob("*.jpg"))
behaviour = (home / "behaviour").read_text().split()
does = behaviour[min(runs, len(behaviour) - 1)]
if does == "missing":
    sys.exit("ERROR: *** no cameras available ***")
if does == "mute":
    time.sleep(1000)
for number in itertools.count():
    data = pictures[number % len(pictures)].read_bytes()
    for start in range(0, len(data), 4099):
        os.write(1, data[start : start + 4099])
    if does == "hang" and number == 3:
        time.sleep(1000)
    time.sleep(0.03)
"""


def fake_rpicam(folder: pathlib.Path, behaviour: str, *, width: int = 256, height: int = 144) -> pathlib.Path:
    """A folder with a program ``rpicam-vid`` that writes real JPEG pictures, for PATH.

    ``behaviour``: one word a run, the last for all later runs: ``plays``, ``hang`` (after four pictures), ``mute``,
    ``missing`` (ends with an error). Each run leaves a file ``run-{n}-{pid}``; the last command line is in ``argv``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(20):
        (folder / f"{number:03}.jpg").write_bytes(jpeg_of(stamped(number, width, height)))
    (folder / "behaviour").write_text(behaviour)
    program = folder / "rpicam-vid"
    program.write_text(RPICAM.format(python=sys.executable, home=str(folder)))
    program.chmod(0o755)
    return folder
