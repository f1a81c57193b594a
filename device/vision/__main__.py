"""``python -m device.vision --config SITE.yaml --run-dir DIR --state-dir DIR``: the vision process.

Invariants: a camera that will not open, or a model that will not load, is told to core with its reason and the rest
goes on; the process ends with 0 at SIGTERM, with 75 when core says that its configuration has changed, with 2 when
the site file is not usable. What is large is imported inside ``run``, after the flags are checked.
"""

import argparse
import ctypes
import functools
import gc
import logging
import os
import pathlib
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from device import ipc
from hal.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from configs.schema import SiteConfig
    from device.ground_plane import GroundPlane
    from device.vision.images import ImageRecorder
    from device.vision.slot import CameraSlot
    from device.vision.view_file import ViewFile
    from hal.interfaces import Camera

NICE = 5
"""Vision and its captures yield to guard and core where there is no unit file that says so."""
BAD_CONFIG = 2
SNAPSHOTS = "snapshots"
"""Folder of pictures of events, inside the one for images."""
log = logging.getLogger("device.vision")


class _Stop:
    """Set by a signal; the loop looks at it."""

    def __init__(self) -> None:
        self.wanted = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self.wanted = True


IMAGES_FOLDER = "images"
"""Of the state folder: the run folder is memory."""


def run(config: pathlib.Path, run_dir: pathlib.Path, state_dir: pathlib.Path, clock: Clock) -> int:
    """Runs until told to stop; returns the exit status."""
    stop = _Stop()
    from configs.errors import ConfigError
    from configs.loader import load_site

    try:
        site = load_site(config)
    except ConfigError as error:
        log.error("event=config_refused file=%s\n%s", config, error)
        return BAD_CONFIG
    from device.vision.link import CoreLink
    from device.vision.loop import VisionLoop
    from device.vision.view_file import ViewFile
    from models.errors import ModelError

    link = CoreLink(run_dir / ipc.VISION_SOCKET, clock)
    files = {camera_id: ViewFile(state_dir, camera_id, camera, clock) for camera_id, camera in site.cameras.items()}
    slots = [_slot(camera_id, site, clock, files[camera_id]) for camera_id in site.cameras]
    for slot in slots:
        slot.advance(clock.monotonic_ns())  # they open while the model loads
    detector, problem = None, None
    try:
        from models.runtimes import open_detector

        settings = site.detector
        manifest = pathlib.Path(settings.manifest) if settings.manifest is not None else None
        detector = open_detector(settings.runtime, manifest, threads=settings.threads, threshold=settings.threshold)
    except (ModelError, ImportError) as error:
        problem = str(error)
        log.error("event=model_refused reason=%r", problem)
    images_dir = state_dir / IMAGES_FOLDER
    recorder = _recorder(images_dir, clock) if site.recording.images else None
    keep = [] if recorder is None else [recorder.keep]
    snapshots = None
    if site.recording.snapshots and detector is not None:
        from device.vision.snapshots import Snapshots

        snapshots = Snapshots(images_dir / SNAPSHOTS, detector, clock, keep=site.recording.snapshots_keep)
        keep.append(snapshots.take)
    loop = VisionLoop(slots, detector, link.send, clock, problem=problem, keep=keep)
    gc.collect()
    gc.freeze()
    ctypes.CDLL(None).malloc_trim(0)  # what loading needed: 4 MB
    log.info("event=started cameras=%d detector=%s", len(slots), "ready" if detector is not None else "none")
    status = 0
    try:
        while not stop.wanted:
            if link.connect():
                loop.tell_all()
            for message in link.heard():
                if message.get("kind") == "restart":
                    log.info("event=restart reason=config_changed")
                    status = ipc.EXIT_RESTART
                    stop.wanted = True
                elif message.get("kind") == "accept_view":
                    loop.accept_view(str(message.get("camera")))
                elif message.get("kind") == "snapshot" and snapshots is not None:
                    snapshots.ask(str(message.get("camera")))
            if not stop.wanted:
                loop.step()
    finally:
        loop.close()
        link.close()
        if recorder is not None:
            recorder.close()
        if snapshots is not None:
            snapshots.close()
        for file in files.values():
            file.close()
    log.info("event=stopped frames=%d dropped=%d", loop.frames, link.dropped)
    return status


def _slot(camera_id: str, site: "SiteConfig", clock: Clock, file: "ViewFile") -> "CameraSlot":
    from configs.errors import ConfigError
    from device.vision.slot import CameraSlot
    from device.vision.view_health import ViewHealth
    from device.zones import areas_of

    entry = site.cameras[camera_id]
    opener = functools.partial(_open, camera_id, entry.driver, entry.options(), clock)
    planes: Mapping[str, GroundPlane] = {}
    try:
        if entry.ground:
            from device import calibration

            planes = calibration.planes(camera_id, site)
    except ConfigError as error:  # a file that nobody checked: the camera is a fault, it does not count in silence
        opener = functools.partial(_refuse, str(error))
    areas, max_fps = areas_of(entry.zones), site.detector.max_fps
    view = ViewHealth(camera_id, areas, planes, view=file.read(), keep=file.keep)
    return CameraSlot(camera_id, areas, clock, max_fps=max_fps, planes=planes, view=view, opener=opener)


def _refuse(reason: str) -> "Camera":
    from hal.errors import DeviceOpenError

    raise DeviceOpenError(reason)


def _open(camera_id: str, driver: str, options: dict[str, object], clock: Clock) -> "Camera":
    """Opens a camera by its entry in the site file. Raises HalError."""
    from hal import registry

    row = registry.driver("camera", driver)
    camera: Camera = row.open(camera_id, registry.parse_options("camera", driver, options), clock)
    return camera


def _recorder(folder: pathlib.Path, clock: Clock) -> "ImageRecorder | None":
    from device.vision.images import ImageRecorder

    try:
        recorder = ImageRecorder(folder, clock)
    except OSError as error:
        log.error("event=images_refused folder=%s reason=%r", folder, str(error))
        return None
    log.warning("event=images_recorded path=%s", recorder.path)
    return recorder


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m device.vision", description="cameras and the detector")
    parser.add_argument("--config", type=pathlib.Path, required=True, metavar="SITE.yaml")
    parser.add_argument("--run-dir", type=pathlib.Path, required=True, metavar="DIR", help="where vision.sock is")
    parser.add_argument("--state-dir", type=pathlib.Path, required=True, metavar="DIR", help="views, recorded images")
    args = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="level=%(levelname)s process=vision %(message)s")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.nice(NICE)
    return run(args.config, args.run_dir, args.state_dir, SYSTEM_CLOCK)


if __name__ == "__main__":
    sys.exit(main())
