"""What happened, as values that the journal keeps and the bridge sends. Pure.

Invariants: an event is written once, by the pipeline or by core, with the monotonic time at which it became true;
``body`` holds JSON values only, metres and m/s with one decimal.
"""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any


class EventKind(enum.StrEnum):
    """Kinds of event."""

    ALERT = "alert"  # a face entered or left alert
    NEAR_MISS = "near_miss"  # two road users came too close; the node measured it
    CAUTION = "caution"  # a face entered or left caution
    PASSAGE = "passage"  # a road user reached the line or left before it; what was measured of it
    DUTY = "duty"  # how long each face was lit in the last ten minutes, and how often for nobody
    HEALTH = "health"  # a face changed between ok, degraded and fault
    PART = "part"  # a device or process changed between working and not
    SPEEDING = "speeding"  # a road user far above the limit
    WRONG_WAY = "wrong_way"  # a road user against the one-way direction, or on the other side of the road
    RIGHT_TURN = "right_turn"  # a lorry that turned right without stopping
    VOICE = "voice"  # a clip was spoken, or withheld and why
    CONFIG = "config"  # a configuration was applied, refused or rolled back
    NODE = "node"  # the node started or stopped
    JOURNAL = "journal"  # the journal began or ceased to lose what the county has not, or began anew


class EventClass(enum.StrEnum):
    """What a kind weighs when there is no room (``device.journal_store.SHED_CLASSES``): telemetry goes first."""

    TELEMETRY = "telemetry"
    EVENT = "event"
    ALERT = "alert"


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``face`` is None where no face is concerned."""

    kind: EventKind
    at_ns: int
    face: str | None
    body: Mapping[str, Any]
