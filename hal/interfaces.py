"""What the rest of the project asks of devices: values with SI units in their names, and small protocols.

Invariants: every time is CLOCK_MONOTONIC nanoseconds at *capture* (last byte read, frame grabbed); a closing speed
is signed, positive = approaching, whatever the vendor's sign; a driver never raises for bad bytes, it counts them.
"""

import dataclasses
import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Idle(enum.StrEnum):
    """What an empty road looks like on a radar's wire."""

    FRAMES = "frames"
    POLLED = "polled"
    SILENT = "silent"


class Flag(enum.StrEnum):
    """What the radar itself says of the direction. A claim, not a fact: tracking checks it against distance."""

    APPROACHING = "approaching"
    RECEDING = "receding"
    UNKNOWN = "unknown"


class Shows(enum.StrEnum):
    """What a lamp is asked to show. Fault and caution look alike to drivers: nobody is told "safe"."""

    CLEAR = "clear"
    CAUTION = "caution"
    FAULT = "fault"
    ALERT = "alert"


@dataclasses.dataclass(frozen=True, slots=True)
class RadarTarget:
    """One target of one frame. ``distance_m`` and ``angle_deg`` are None where the radar does not measure them."""

    speed_mps: float
    distance_m: float | None = None
    angle_deg: float | None = None
    flag: Flag = Flag.UNKNOWN
    snr: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RadarFrame:
    """All targets a radar reported at once; an empty tuple is a healthy radar on an empty road."""

    radar: str
    captured_ns: int
    targets: tuple[RadarTarget, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class CameraFrame:
    """One picture: ``image`` is HxWx3 uint8 BGR, valid until the next ``read`` of the same camera."""

    camera: str
    captured_ns: int
    image: "npt.NDArray[np.uint8]"
    sequence: int


@dataclasses.dataclass(slots=True)
class WireCounters:
    """What went wrong on a wire, counted and never raised."""

    bytes_read: int = 0
    frames: int = 0
    resyncs: int = 0
    bytes_dropped: int = 0
    targets_rejected: int = 0
    late_skipped: int = 0


@runtime_checkable
class RadarDecoder(Protocol):
    """Bytes in, frames out; knows no port and no clock. The same object serves the driver and replay."""

    counters: WireCounters

    def feed(self, data: bytes, captured_ns: int) -> Sequence[RadarFrame]:
        """Takes bytes as they came (any split), returns the frames they complete. Never raises for bad bytes."""


@runtime_checkable
class RadarSensor(Protocol):
    """An open radar."""

    idle: Idle
    counters: WireCounters

    def read(self, timeout_s: float) -> Sequence[RadarFrame]:
        """Waits for bytes and returns the frames they complete (none at a timeout). Raises DeviceLostError."""

    def take_raw(self) -> bytes:
        """The bytes read since the last call, for the recording."""

    def close(self) -> None:
        """Releases the port."""


@runtime_checkable
class Camera(Protocol):
    """An open camera that yields the newest frame only."""

    def read(self, timeout_s: float) -> CameraFrame | None:
        """The newest frame not yet returned, or None at a timeout. Raises DeviceLostError when it is gone for good."""

    def close(self) -> None:
        """Releases the camera and its helper process."""


@runtime_checkable
class Lamp(Protocol):
    """A lamp whose light is switched now; patterns are guard's business."""

    def set(self, on: bool, brightness_pct: int) -> None:
        """Switches the light. Raises HalError when the driver reports a failure."""

    def feedback(self) -> bool | None:
        """Whether the light is proven lit; None without a feedback input."""

    def close(self) -> None:
        """Releases the pin; the external flasher takes over."""


@runtime_checkable
class Speaker(Protocol):
    """A speaker that plays clips by id, never text."""

    def play(self, clip: str, volume_pct: int) -> None:
        """Starts a clip and returns at once; a clip that is still playing wins. Raises HalError on a missing clip."""

    def busy(self) -> bool:
        """Whether a clip is playing."""

    def problem(self) -> str | None:
        """Why the last clip was not heard, or None."""

    def close(self) -> None:
        """Stops what plays."""
