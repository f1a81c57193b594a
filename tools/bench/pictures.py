"""``python -m tools.bench.pictures FOLDER``: pictures of an empty street and of people who stand in two wait zones.

Run as a process of its own, so that the bench itself stays without OpenCV: pages that it shared with vision would
make vision look smaller than it is. The street is vtest.avi (Debian's opencv-doc): the median of its pictures is the
empty street, and people are cut from the same clip, at the place and size at which the detector found them. Without
it, people of ``../shared/road_users`` stand on a street of ``../shared/footage``.

Written: ``{state}_{n}.jpg`` with state 0 (nobody), 1 (left zone), 2 (right zone), 3 (both), each with fresh sensor
noise, because the very same pixels again and again are a frozen camera; ``zones.json`` with the two polygons (0..1).
Every picture has been through the detector: what it is to show is what the detector sees in it.
"""

import argparse
import dataclasses
import json
import pathlib
import sys

import cv2
import numpy as np
import numpy.typing as npt

from hal.camera.sim import SimOptions, open_camera
from hal.clock import VirtualClock
from models.detector import Detection
from models.onnx_detector import OnnxDetector, load_detector
from tools.demo.footage import FootageError, footage

Image = npt.NDArray[np.uint8]

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SHARED = PROJECT.parent / "shared"
FOOTAGE = SHARED / "footage"
PEOPLE = SHARED / "road_users" / "val"

WIDTH, HEIGHT = 640, 480
VARIANTS = 6
SURE = 0.6
"""Score a cut-out person must have, so that noise does not lose it: the bench times, it does not judge scores."""
ZONE_MARGIN = 0.05
"""A zone reaches this far (of the picture) around a person's feet."""
LOOKED_AT = 40
"""Pictures of the clip, or of the folder, that are searched for people."""


class NoPicturesError(Exception):
    """There is no footage here, or the detector finds nobody in it; the message says which."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A cut-out: ``patch`` replaces the street from (x, y) on; ``foot`` is where it stands, in pixels."""

    patch: Image
    x: int
    y: int
    foot: tuple[float, float]


def main() -> int:
    """Entry point: exit 1 with the reason on stderr when there is nothing to make pictures of."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.pictures", description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--drawn", action="store_true", help="an empty street as hal.camera.sim draws it, no people")
    args = parser.parse_args()
    folder: pathlib.Path = args.folder
    if args.drawn:
        _draw(folder)
        return 0
    detector = load_detector()
    try:
        source, street, people = _scene(detector)
        _write(folder, detector, street, people)
    except NoPicturesError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"people who enter the wait zone: {source}", file=sys.stderr)
    return 0


def _draw(folder: pathlib.Path) -> None:
    clock = VirtualClock()
    camera = open_camera("c", SimOptions(), clock)
    for number in range(VARIANTS):
        clock.sleep_s(0.1)
        frame = camera.read(0)
        assert frame is not None  # the next picture has just become due
        (folder / f"0_{number}.jpg").write_bytes(_jpeg(frame.image))
    (folder / "zones.json").write_text(json.dumps([[[0, 0], [0.5, 0], [0.5, 1]], [[0.5, 0], [1, 0], [1, 1]]]))


def _jpeg(image: Image) -> bytes:
    _ok, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 85))
    return bytes(data.tobytes())


def _scene(detector: OnnxDetector) -> tuple[str, Image, tuple[Person, Person]]:
    try:
        return "vtest.avi (opencv-doc)", *_from_clip(detector, footage())
    except FootageError as error:
        if FOOTAGE.is_dir() and PEOPLE.is_dir():
            return "shared/road_users on shared/footage", *_from_images(detector)
        raise NoPicturesError(f"no footage of people: {error}; and there is no {SHARED}") from error


def _from_clip(detector: OnnxDetector, path: pathlib.Path) -> tuple[Image, tuple[Person, Person]]:
    clip = cv2.VideoCapture(str(path))
    count = int(clip.get(cv2.CAP_PROP_FRAME_COUNT))
    frames = []
    for number in range(0, count, max(1, count // LOOKED_AT)):
        clip.set(cv2.CAP_PROP_POS_FRAMES, number)
        ok, frame = clip.read()
        if ok:
            frames.append(_fitted(frame))
    if not frames:
        raise NoPicturesError(f"{path}: not a readable video")
    street: Image = np.median(np.stack(frames), axis=0).astype(np.uint8)
    candidates = [
        _cut(frame, found)
        for frame in frames
        for found in detector.detect(frame)
        if found.cls == "person" and found.score >= SURE
    ]
    return street, _two_apart(detector, street, candidates, str(path))


def _from_images(detector: OnnxDetector) -> tuple[Image, tuple[Person, Person]]:
    clip = cv2.VideoCapture(str(FOOTAGE / "street_side_view.mp4"))
    ok, frame = clip.read()
    if not ok:
        raise NoPicturesError(f"{FOOTAGE}: not a readable video")
    street = _fitted(frame)
    candidates = []
    for path in sorted((PEOPLE / "images").glob("hw_*"))[: 2 * LOOKED_AT]:
        image = cv2.imread(str(path))
        if image is None:
            continue
        for found in detector.detect(np.asarray(image, np.uint8)):
            if found.cls == "person" and found.score >= SURE and 60 <= found.y1 - found.y0 <= HEIGHT // 2:
                cut = _cut(np.asarray(image, np.uint8), found)
                height, width = cut.patch.shape[:2]
                for x in (WIDTH // 8, WIDTH * 5 // 8):
                    y = HEIGHT - height - HEIGHT // 16
                    candidates.append(Person(cut.patch, x, y, (x + width / 2, y + height)))
    return street, _two_apart(detector, street, candidates, str(PEOPLE))


def _fitted(frame: "npt.NDArray[np.generic]") -> Image:
    return np.asarray(cv2.resize(np.asarray(frame, np.uint8), (WIDTH, HEIGHT)), np.uint8)


def _cut(image: Image, found: Detection) -> Person:
    """The person with a little of the ground around: a hard edge right at the body would look like a poster."""
    wide, high = (found.x1 - found.x0) * 0.25, (found.y1 - found.y0) * 0.1
    x0, y0 = max(0, int(found.x0 - wide)), max(0, int(found.y0 - high))
    x1, y1 = min(image.shape[1], int(found.x1 + wide)), min(image.shape[0], int(found.y1 + high))
    return Person(image[y0:y1, x0:x1].copy(), x0, y0, ((found.x0 + found.x1) / 2, found.y1))


def _two_apart(detector: OnnxDetector, street: Image, candidates: list[Person], where: str) -> tuple[Person, Person]:
    """Two people whose zones lie apart and who are seen on the empty street as on their own picture."""
    good: list[Person] = []
    for person in candidates:
        if not 0.1 * WIDTH < person.foot[0] < 0.9 * WIDTH:
            continue
        if any(_stands(found, person) for found in detector.detect(street)):
            continue
        seen = [found for found in detector.detect(_with(street, person)) if _stands(found, person)]
        if len(seen) != 1 or seen[0].score < SURE:
            continue
        for other in good:
            if abs(other.foot[0] - person.foot[0]) > 0.3 * WIDTH:
                left, right = sorted((other, person), key=lambda one: one.foot[0])
                return left, right
        good.append(person)
    raise NoPicturesError(f"{where}: the detector is not sure of two people who stand apart")


def _with(street: Image, *people: Person) -> Image:
    image = street.copy()
    for person in people:
        height, width = person.patch.shape[:2]
        image[person.y : person.y + height, person.x : person.x + width] = person.patch
    return image


def _stands(found: Detection, person: Person) -> bool:
    """Whether a detection's feet are in the person's zone."""
    x, y = (found.x0 + found.x1) / 2, found.y1
    reach_x, reach_y = ZONE_MARGIN * WIDTH, ZONE_MARGIN * HEIGHT
    return found.cls == "person" and abs(x - person.foot[0]) <= reach_x and abs(y - person.foot[1]) <= reach_y


def _zone(person: Person) -> list[list[float]]:
    x, y = person.foot[0] / WIDTH, person.foot[1] / HEIGHT
    left, right = max(0.0, x - ZONE_MARGIN), min(1.0, x + ZONE_MARGIN)
    top, bottom = max(0.0, y - ZONE_MARGIN), min(1.0, y + ZONE_MARGIN)
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def _write(folder: pathlib.Path, detector: OnnxDetector, street: Image, people: tuple[Person, Person]) -> None:
    random = np.random.default_rng(1)
    for state in range(4):
        shown = [person for bit, person in enumerate(people) if state >> bit & 1]
        plain = _with(street, *shown)
        written = 0
        for _ in range(VARIANTS * 5):
            noise = random.normal(0, 2, plain.shape)
            noisy = np.clip(plain + noise, 0, 255).astype(np.uint8)
            jpeg = _jpeg(noisy)
            again = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            seen = detector.detect(np.asarray(again, np.uint8))
            as_meant = all((person in shown) == any(_stands(found, person) for found in seen) for person in people)
            if as_meant:
                (folder / f"{state}_{written}.jpg").write_bytes(jpeg)
                written += 1
            if written == VARIANTS:
                break
        else:
            raise NoPicturesError(f"the detector loses the people under noise (state {state}: {written} of {VARIANTS})")
    (folder / "zones.json").write_text(json.dumps([_zone(person) for person in people]))


if __name__ == "__main__":
    sys.exit(main())
