"""From the start of guard, core and vision to their first useful act, all three started at once as at boot.

Guard: its lamp is lit in the safe pattern (tap). Core: its first renewal reaches guard.sock, which the bench holds.
Vision: its first observation reaches vision.sock, which the bench holds too. The machine's page cache is warm: a first
start after power-on reads about 150 MB from the card, which is not in here. Nothing else of the node runs meanwhile.
"""

import json
import pathlib
import selectors
import socket
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from device import ipc
from device.site import check_site, write_compiled
from hal.clock import NS_PER_S
from tools.bench.edges import guard_config, process
from tools.bench.figures import Reading
from tools.bench.rig import BenchError, Pictures, make_pictures, site
from tools.bench.session import Session
from tools.bench.stream import MjpegCamera
from tools.bench.taps import Tap
from tools.bench.world import Feeder, Radar

WITHIN_S = 30.0
PARTS = ("guard", "core", "vision")


def measure(session: Session) -> Mapping[str, Reading]:
    """start_guard_s, start_core_s, start_vision_s: the slowest of all starts."""
    session.close()
    session.note(f"guard, core and vision started {session.sizes.starts} times")
    slowest = dict.fromkeys(PARTS, 0.0)
    with tempfile.TemporaryDirectory(prefix="sentinel-bench-") as name:
        folder = pathlib.Path(name)
        make_pictures(folder / "pictures", drawn=True)
        pictures = Pictures(folder / "pictures")
        streams = [MjpegCamera(pictures.choose) for _ in range(2)]
        radars = {approach: Radar() for approach in ("main_a", "main_b", "main_c", "main_d")}
        feeder = Feeder(list(radars.values()))
        cameras = {
            f"c_{number}": {
                "driver": "opencv",
                "source": stream.url,
                "zones": {"branch_a": {"wait": pictures.zones[0]}},
            }
            for number, stream in enumerate(streams)
        }
        threads: tuple[MjpegCamera | Feeder, ...] = (*streams, feeder)
        for thread in threads:
            thread.start()
        try:
            for number in range(session.sizes.starts):
                once = folder / str(number)
                once.mkdir()
                values = site(radars, cameras, once / "unused.jsonl", "mqtt://127.0.0.1:1883")
                for part, seconds in _start(once, values).items():
                    slowest[part] = max(slowest[part], seconds)
        finally:
            for thread in threads:
                thread.close()
            for radar in radars.values():
                radar.close()
    return {f"start_{part}_s": Reading(seconds, session.sizes.starts) for part, seconds in slowest.items()}


def _start(folder: pathlib.Path, values: dict[str, Any]) -> dict[str, float]:
    """One start of all three; seconds by part. Guard has a run directory of its own: the bench plays guard to core."""
    guard_dir, run_dir, state_dir = folder / "guard", folder / "run", folder / "state"
    for each in (guard_dir, state_dir):
        each.mkdir()
    path = folder / "site.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    write_compiled(check_site(path)[0], run_dir)
    (guard_dir / ipc.GUARD_CONFIG).write_text(json.dumps(guard_config(folder / "tap.jsonl")))
    compiled = ["--config", str(run_dir / ipc.SITE_CONFIG), "--run-dir", str(run_dir)]
    core = ["--config", str(path), "--run-dir", str(run_dir), "--state-dir", str(state_dir)]
    with (
        ipc.listen(run_dir / ipc.GUARD_SOCKET) as for_core,
        # Core listens on vision.sock itself: vision gets a directory of its own to be heard here.
        ipc.listen(guard_dir / ipc.VISION_SOCKET) as for_vision,
    ):
        compiled[-1] = str(guard_dir)
        started_ns = time.monotonic_ns()
        with (
            process("device.guard", "--run-dir", str(guard_dir)),
            process("device.core", *core),
            process("device.vision", *compiled, "--state-dir", str(state_dir)),
        ):
            first_ns = _first_messages({"core": (for_core, "lamps"), "vision": (for_vision, "captured_ns")})
            lit = Tap(folder / "tap.jsonl").until(lambda line: line.on, WITHIN_S)
            if lit is None:
                raise BenchError(f"guard held no lamp within {WITHIN_S:.0f} s")
            first_ns["guard"] = lit.mono_ns
    return {part: (at_ns - started_ns) / NS_PER_S for part, at_ns in first_ns.items()}


def _first_messages(wanted: Mapping[str, tuple[socket.socket, str]]) -> dict[str, int]:
    """When each part first sent a message with its key."""
    found: dict[str, int] = {}
    deadline_ns = time.monotonic_ns() + round(WITHIN_S * NS_PER_S)
    with selectors.DefaultSelector() as selector:
        for part, (listener, key) in wanted.items():
            selector.register(listener, selectors.EVENT_READ, (part, key, True))
        while len(found) < len(wanted):
            if time.monotonic_ns() > deadline_ns:
                raise BenchError(f"within {WITHIN_S:.0f} s only {sorted(found)} of {sorted(wanted)} were heard")
            for ready, _ in selector.select(0.5):
                part, key, listens = ready.data
                assert isinstance(ready.fileobj, socket.socket)
                if listens:
                    peer, _address = ready.fileobj.accept()
                    selector.register(peer, selectors.EVENT_READ, (part, key, False))
                    continue
                try:
                    message = ipc.receive(ready.fileobj)
                except (EOFError, OSError) as error:
                    raise BenchError(f"{part} hung up: {error}") from error
                if message is not None and key in message:
                    found.setdefault(part, time.monotonic_ns())
    return found
