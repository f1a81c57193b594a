"""``sentinel detect PATH``: road users in an image, a folder of images or a video, one JSON line a picture.

Invariants: lines are ``{"source", "frame", "t_s", "boxes": [[class, score, x0, y0, x1, y1], ...]}`` in pixels of the
source, images sorted by name, a video frame by frame; an unreadable file is exit 2, a video cut off is exit 1.
"""

import json
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from device.cli.common import BAD_INPUT, FAULT, Settings, Verb, fail, pass_settings
from device.cli.language import _
from models.runtimes import RUNTIMES, Runtime

if TYPE_CHECKING:
    from models.detector import Detection

IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})


@click.command("detect", cls=Verb, help=_("Detect road users in an image, a folder of images or a video (JSON lines)."))
@click.argument("path", metavar="PATH", type=click.Path(path_type=pathlib.Path))
@click.option("--threshold", type=click.FloatRange(0.01, 0.99), help=_("Lowest score; the model's own unless told."))
@click.option("--threads", type=click.IntRange(1, 16), default=1, show_default=True, help=_("Inference threads."))
@click.option(
    "--manifest", type=click.Path(path_type=pathlib.Path), help=_("Model manifest; the bundled model unless told.")
)
@click.option(
    "--runtime", type=click.Choice(RUNTIMES), default=RUNTIMES[0], show_default=True, help=_("Inference runtime.")
)
@pass_settings
def command(
    settings: Settings,
    path: pathlib.Path,
    threshold: float | None,
    threads: int,
    manifest: pathlib.Path | None,
    runtime: Runtime,
) -> None:
    """The output is JSON lines with and without ``--json``."""
    if not path.exists():
        fail(BAD_INPUT, _("{path}: there is no such file or folder").format(path=path))
    detector = _detector(runtime, manifest, threads, threshold)
    if path.is_dir():
        images = sorted(item for item in path.iterdir() if item.suffix.lower() in IMAGE_ENDINGS and item.is_file())
        if not images:
            fail(BAD_INPUT, _("{path}: no images in this folder").format(path=path))
        _images(images, detector)
    elif path.suffix.lower() in IMAGE_ENDINGS:
        _images([path], detector)
    else:
        _video(path, detector)


def _detector(runtime: Runtime, manifest: pathlib.Path | None, threads: int, threshold: float | None) -> Any:
    from models.errors import ModelError
    from models.runtimes import open_detector

    try:
        return open_detector(runtime, manifest, threads=threads, threshold=threshold)
    except ModelError as error:
        fail(BAD_INPUT, _("The model cannot be used: {detail}").format(detail=error))


def _images(images: list[pathlib.Path], detector: Any) -> None:
    import cv2
    import numpy as np

    unreadable = []
    for image in images:
        try:
            data = np.fromfile(image, np.uint8)
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        except (OSError, cv2.error):
            picture = None
        if picture is None:
            unreadable.append(image.name)
            continue
        _print(image.name, 0, 0.0, detector.detect(picture))
    if unreadable:
        fail(BAD_INPUT, _("Not readable as images: {names}").format(names=", ".join(unreadable)))


def _video(path: pathlib.Path, detector: Any) -> None:
    import cv2

    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            fail(BAD_INPUT, _("{path}: not readable as an image or a video").format(path=path))
        expected = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        seen = 0
        for picture in _frames(capture):
            # Frame times of the container jitter by codec; a fixed camera's own rate is what the contract means.
            t_s = seen / fps if fps > 0 else capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            _print(path.name, seen, t_s, detector.detect(picture))
            seen += 1
    finally:
        capture.release()
    if seen == 0:
        fail(BAD_INPUT, _("{path}: no picture in it can be read").format(path=path))
    # Containers without an index only estimate their frame count, by a frame or two.
    if expected - seen > max(2, expected // 100):
        fail(
            FAULT, _("{path}: cut off after frame {seen} of {expected}").format(path=path, seen=seen, expected=expected)
        )


def _frames(capture: Any) -> Iterator[Any]:
    while True:
        ok, picture = capture.read()
        if not ok:
            return
        yield picture


def _print(source: str, frame: int, t_s: float, found: "list[Detection]") -> None:
    boxes = [
        [box.cls, round(float(box.score), 3), *(round(float(edge), 1) for edge in (box.x0, box.y0, box.x1, box.y1))]
        for box in found
    ]
    click.echo(json.dumps({"source": source, "frame": frame, "t_s": round(t_s, 3), "boxes": boxes}, ensure_ascii=False))
