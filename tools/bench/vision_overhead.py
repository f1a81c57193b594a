"""What the vision loop adds to the two things that must be: reading a picture and running the network.

``python -m tools.bench.vision_overhead PICTURES`` prints one JSON object of milliseconds by size; the bench runs it as
a process of its own, because OpenCV and onnxruntime must not be loaded where memory is measured.

Picture by picture the real ``VisionLoop`` and then the bare pair, ``VideoCapture.read`` + ``session.run``, do the same
picture of the same file. All of the loop's work is on one thread here, nothing is hidden by doing it in parallel: the
capture process's own code (grab, retrieve into the mailbox, publish), the hand-over, letterbox, network, boxes, zones,
the message over vision.sock, picture health. The clock is told that a tenth of a second passes between two pictures,
so that what is done now and then is done as often as at ten pictures a second. The value is the mean difference
without the 2 % most extreme at either end, where another process was given the core.
"""

import argparse
import contextlib
import json
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from hal.clock import NS_PER_MS, NS_PER_S, SystemClock
from tools.bench.apart import printed
from tools.bench.figures import Reading
from tools.bench.rig import BenchError
from tools.bench.session import Session

if TYPE_CHECKING:
    import cv2

    from hal.interfaces import CameraFrame

SIZES: Mapping[str, tuple[int, int]] = {"640": (640, 360), "720p": (1280, 720)}
FPS = 10
TRIMMED = 0.02
WARM_UP = 5
CLIP = pathlib.Path(__file__).resolve().parents[3] / "shared" / "footage" / "side_road_day.mp4"


def measure(session: Session) -> Mapping[str, Reading]:
    """vision_overhead_ms_640 and vision_overhead_ms_720p. The node at work is ended: it would be measured with it."""
    session.close()
    count = session.sizes.pictures
    session.note(f"vision loop against bare read and run, {count} pictures of each size")
    found: dict[str, float] = printed("tools.bench.vision_overhead", str(count))
    return {f"vision_overhead_ms_{size}": Reading(value_ms, count) for size, value_ms in found.items()}


def trimmed_mean(values: Sequence[float]) -> float:
    """The mean without the most extreme at either end."""
    ordered = sorted(values)
    out = int(len(ordered) * TRIMMED)
    kept = ordered[out : len(ordered) - out]
    return sum(kept) / len(kept)


class TenthsClock(SystemClock):
    """The machine's clock, a tenth of a second further with every picture."""

    ahead_ns = 0

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_ns


class InProcessCamera:
    """The capture loop of hal.camera.capture and the reader of hal.camera.opencv, both on this thread."""

    def __init__(self, video: "cv2.VideoCapture", width: int, height: int, clock: TenthsClock) -> None:
        from hal.camera.mailbox import MailboxFds, MailboxReader, MailboxWriter

        fds = MailboxFds.create()
        self._video = video
        self._clock = clock
        self._writer = MailboxWriter(*fds.for_writer(), height=height, width=width)
        self._reader = MailboxReader(fds)
        self._reader.map(self._writer.memory, height, width)

    def read(self, timeout_s: float) -> "CameraFrame | None":
        """The next picture of the file."""
        import numpy as np

        from hal.interfaces import CameraFrame

        self._reader.release()
        if not self._video.grab():
            return None
        captured_ns = self._clock.monotonic_ns()
        buffer = self._writer.buffer()
        _ok, image = self._video.retrieve(buffer)
        if image.ctypes.data != buffer.ctypes.data:
            np.copyto(buffer, image)
        self._writer.publish(captured_ns)
        taken = self._reader.take()
        assert taken is not None
        token, shown = taken
        return CameraFrame("c", token.captured_ns, shown, token.sequence)

    def close(self) -> None:
        """Nothing to release."""


def overhead_ms(clip: pathlib.Path, size: tuple[int, int], count: int) -> float:
    """The mean difference for the first ``count`` pictures of a clip."""
    from device import ipc
    from device.observation import Zone
    from device.vision.link import CoreLink
    from device.vision.loop import VisionLoop
    from device.vision.slot import CameraSlot
    from device.zones import ZoneArea
    from models.onnx_detector import load_detector

    detector = load_detector()
    network_input = detector.session.get_inputs()[0].name
    clock = TenthsClock()
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    areas = (ZoneArea("branch_a", Zone.WAIT, square), ZoneArea("branch_a", Zone.APPROACH, square[:3]))
    camera = InProcessCamera(_opened(clip), *size, clock)
    bare = _opened(clip)
    differences = []
    with tempfile.TemporaryDirectory() as folder, ipc.listen(pathlib.Path(folder) / ipc.VISION_SOCKET) as core:
        link = CoreLink(pathlib.Path(folder) / ipc.VISION_SOCKET, clock)
        link.connect()
        peer, _ = core.accept()
        peer.setblocking(False)
        slot = CameraSlot("c", areas, clock, max_fps=30, camera=camera)
        loop = VisionLoop([slot], detector, link.send, clock)
        for number in range(count + WARM_UP):
            clock.ahead_ns += NS_PER_S // FPS
            before_ns = time.perf_counter_ns()
            seen = loop.step()
            between_ns = time.perf_counter_ns()
            ok, _image = bare.read()
            detector.session.run(None, {network_input: detector.letterbox.blob})
            after_ns = time.perf_counter_ns()
            if not (seen and ok):
                raise BenchError(f"{clip}: ended after {number} pictures")
            if number >= WARM_UP:
                differences.append(((between_ns - before_ns) - (after_ns - between_ns)) / NS_PER_MS)
            with contextlib.suppress(BlockingIOError):
                while True:
                    ipc.receive(peer)
        link.close()
        peer.close()
    return trimmed_mean(differences)


def write_clip(path: pathlib.Path, size: tuple[int, int], count: int) -> None:
    """The street in a size, as Motion JPEG, like a USB camera gives it."""
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, size)
    for picture in _street(count):
        writer.write(cv2.resize(picture, size))
    writer.release()


def _opened(clip: pathlib.Path) -> "cv2.VideoCapture":
    import cv2

    return cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])


def _street(count: int) -> "Iterator[cv2.typing.MatLike]":
    """Pictures of the street of ../shared/footage, or drawn ones where that is absent."""
    import cv2

    if CLIP.exists():
        print(f"vision overhead: pictures of {CLIP.name}", file=sys.stderr)
        clip = cv2.VideoCapture(str(CLIP))
        for _ in range(count):
            ok, picture = clip.read()
            if not ok:
                clip.set(cv2.CAP_PROP_POS_FRAMES, 0)
                ok, picture = clip.read()
            yield picture
        return
    from hal.camera.sim import SimOptions, open_camera
    from hal.clock import VirtualClock

    print("vision overhead: drawn pictures, ../shared/footage is not here", file=sys.stderr)
    clock = VirtualClock()
    camera = open_camera("c", SimOptions(), clock)
    for _ in range(count):
        clock.sleep_s(1 / FPS)
        frame = camera.read(0)
        assert frame is not None
        yield frame.image.copy()


def main() -> int:
    """Entry point."""
    import cv2

    parser = argparse.ArgumentParser(prog="python -m tools.bench.vision_overhead", description=__doc__)
    parser.add_argument("pictures", type=int)
    count: int = parser.parse_args().pictures
    cv2.setNumThreads(1)
    found = {}
    with tempfile.TemporaryDirectory(prefix="sentinel-bench-") as folder:
        for name, size in SIZES.items():
            clip = pathlib.Path(folder) / f"{name}.avi"
            write_clip(clip, size, count + WARM_UP)
            found[name] = overhead_ms(clip, size, count)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
