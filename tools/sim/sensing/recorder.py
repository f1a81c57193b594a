"""Writes a scene as its sensors would have told it: a recording, the truth beside it, and the site file it is for.

Invariants: the same arguments give the same bytes; ``t_s`` 0 of the truth is the recording's first message; messages
lie in the file in the order of their times.
"""

import dataclasses
import io
import itertools
import pathlib
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from configs.schema import SiteConfig
from device.recording import RecordingFile
from hal.clock import NS_PER_S
from tools.sim.scene import Scene, write_scene
from tools.sim.sensing.bodies import legs
from tools.sim.sensing.camera import messages as camera_messages
from tools.sim.sensing.clutter import clutter, multipath
from tools.sim.sensing.fittings import Fitting, site_config, site_values
from tools.sim.sensing.mounts import camera_mounts, lines, radar_mounts
from tools.sim.sensing.picture import zoning
from tools.sim.sensing.radar import echoes, frame_times, ld2451_bytes, ops243_bytes
from tools.sim.sensing.weather import Weather

ANCHOR_WALL_NS = 1_767_258_000 * NS_PER_S
"""A morning in January 2026, so that the same scene gives the same bytes whenever it is recorded."""

ANCHOR_MONO_NS = 1_000 * NS_PER_S
"""A node that has run for a while."""


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """The three files of one recording."""

    recording: pathlib.Path
    truth: pathlib.Path
    site: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """One message on its way into the recording."""

    t_s: float
    sensor: str
    radar: bytes | None = None
    camera: dict[str, Any] | None = None


def record(scene: Scene, fitting: Fitting | str, weather: Weather, seed: int, out_dir: pathlib.Path) -> Recorded:
    """Records ``scene`` into ``out_dir`` (made if need be; files of the same name are replaced)."""
    fitting = Fitting(fitting)
    out_dir.mkdir(parents=True, exist_ok=True)
    stem = f"{scene.junction}-{fitting.value}-{weather.name}-{scene.seed}-{seed}"
    done = Recorded(*(out_dir / f"{stem}{suffix}" for suffix in (".mcap", ".truth.jsonl", ".site.yaml")))
    values = site_values(scene, fitting)
    site = site_config(scene, fitting)
    done.site.write_text(_yaml(values), encoding="utf-8")
    write_scene(dataclasses.replace(scene, weather=weather.name), done.truth)
    done.recording.unlink(missing_ok=True)
    file = RecordingFile(
        done.recording,
        values,
        anchor_wall_ns=ANCHOR_WALL_NS,
        anchor_mono_ns=ANCHOR_MONO_NS,
        clock_quality="synced",
        notes={"simulated": f"{scene.junction} scene seed {scene.seed}, {weather.name}, seed {seed}"},
    )
    for message in heard(scene, site, weather, seed):
        at_ns = ANCHOR_MONO_NS + round(message.t_s * NS_PER_S)
        if message.radar is not None:
            file.put_radar(message.sensor, message.radar, at_ns)
        elif message.camera is not None:
            file.put_camera(message.sensor, message.camera, at_ns)
    file.close()
    return done


def heard(scene: Scene, site: SiteConfig, weather: Weather, seed: int) -> Iterator[Heard]:
    """Every message of every sensor in the order of time, then of the sensor's name."""
    ways = legs(scene)
    places = lines(scene)
    messages: list[Heard] = []
    for name, mount in radar_mounts(site, places).items():
        rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
        times_s = frame_times(scene.duration_s, weather, rng)
        nobody = clutter(times_s, mount, weather, rng)
        real = echoes(scene, ways, mount, times_s, nobody.jammed, weather, rng)
        again = multipath(real, weather, rng)
        encode = ops243_bytes if site.radars[name].driver == "ops243" else ld2451_bytes
        messages.extend(
            Heard(t_s, name, radar=encode(itertools.chain(*targets), mount.sees_m))
            for t_s, *targets in zip(times_s.tolist(), real, again, nobody.targets, strict=True)
        )
    for (name, approach), mount in camera_mounts(site, places).items():
        rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
        for seen in camera_messages(scene, ways, approach, mount, zoning(places[approach]), weather, rng):
            captured_ns = ANCHOR_MONO_NS + round(seen.captured_s * NS_PER_S)
            body = {"camera": name, "captured_ns": captured_ns, "zones": {}, "users": list(seen.users)}
            messages.append(Heard(seen.received_s, name, camera=body))
    yield from sorted(messages, key=lambda message: (message.t_s, message.sensor))


def _yaml(values: dict[str, Any]) -> str:
    from ruamel.yaml import YAML

    text = io.StringIO()
    YAML(typ="safe").dump(values, text)
    return text.getvalue()
