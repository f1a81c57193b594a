"""The driver table: which word in a site file means which driver. Entry points add rows for drivers from elsewhere.

Invariants: nothing is imported until a driver is asked for (guard must not pay for a radar); an entry point never
replaces a row of ours; there is no fallback: a driver that is not there is an error that lists what is.
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from hal import options as options_module
from hal.errors import OptionError

KINDS = ("radar", "camera", "lamp", "heartbeat", "speaker")

# kind -> driver name -> "module:ATTRIBUTE"; the attribute is a Driver.
TABLE: Mapping[str, Mapping[str, str]] = {
    "radar": {
        "ld2451": "hal.radar.ld2451:DRIVER",
        "ops243": "hal.radar.ops243:DRIVER",
        "ld2415h": "hal.radar.ld2415h:DRIVER",
        "sim": "hal.radar.sim:DRIVER",
        "replay": "hal.radar.replay:DRIVER",
    },
    "camera": {
        "opencv": "hal.camera.opencv:DRIVER",
        "rpicam": "hal.camera.rpicam:DRIVER",
        "sim": "hal.camera.sim:DRIVER",
        "replay": "hal.camera.replay:DRIVER",
    },
    "lamp": {
        "gpio": "hal.lamp.gpio:DRIVER",
        "sim": "hal.lamp.sim:DRIVER",
        "replay": "hal.lamp.replay:DRIVER",
    },
    "heartbeat": {"gpio": "hal.lamp.heartbeat:DRIVER"},
    "speaker": {
        "alsa": "hal.speaker.alsa:DRIVER",
        "null": "hal.speaker.null:DRIVER",
        "sim": "hal.speaker.sim:DRIVER",
        "replay": "hal.speaker.replay:DRIVER",
    },
}


@dataclasses.dataclass(frozen=True, slots=True)
class Driver:
    """One row of the table.

    ``options`` is the dataclass of its options (see hal.options). ``open(device_id, options, clock)`` returns the
    open device or raises DeviceOpenError. ``claims(options)`` names what the device must have for itself
    (``gpio 17``, ``port /dev/ttyAMA0``), so that two devices on one pin are refused before either is opened.
    ``decoder(device_id, options)`` is for radars: the bytes-to-frames half, which replay uses without a port.
    """

    options: type[Any]
    open: Callable[[str, Any, Any], Any]
    claims: Callable[[Any], frozenset[str]] = lambda _options: frozenset()
    decoder: Callable[[str, Any], Any] | None = None
    idle: str | None = None
    sees_standing: bool = False


def names(kind: str) -> list[str]:
    """Every driver word of a kind, ours first."""
    from importlib import metadata  # 25 ms that guard's start does not have to spend

    own = list(TABLE[kind])
    found = metadata.entry_points(group=f"sentinel.{kind}s")
    return own + sorted(point.name for point in found if point.name not in TABLE[kind])


def driver(kind: str, name: str) -> Driver:
    """The row for a word. Raises OptionError (path ``driver``) when there is none."""
    target = TABLE[kind].get(name)
    if target is not None:
        module_name, _, attribute = target.partition(":")
        found = getattr(importlib.import_module(module_name), attribute)
    else:
        from importlib import metadata

        points = list(metadata.entry_points(group=f"sentinel.{kind}s", name=name))
        if not points:
            raise OptionError("driver", name, " | ".join(names(kind)))
        found = points[0].load()
    if not isinstance(found, Driver):
        raise OptionError("driver", name, f"an entry that is a hal.registry.Driver, not {type(found).__name__}")
    return found


def parse_options(kind: str, name: str, values: Mapping[str, Any]) -> Any:
    """The checked options of a driver. Raises OptionError."""
    return options_module.parse(driver(kind, name).options, values)
