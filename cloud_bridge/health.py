"""The node's health as the county sees it, made from the status that core gives. Pure.

Invariants: nothing in a status is taken for granted (the bridge may be newer or older than core); what changes all the
time (ages, counters, latencies, numbers inside a problem's text) never counts as a change of health.
"""

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from cloud_bridge.topics import (
    ConfigReportedBody,
    FaceHealth,
    HealthBody,
    InboxHealth,
    JournalHealth,
    LostEvents,
    OutboxHealth,
    PartHealth,
)
from device.chosen import Chosen
from device.provisioning.outcome import Outcome

_NUMBER = re.compile(r"\d+(\.\d+)?")


def health_body(
    status: Mapping[str, Any] | None, why_not: str | None, outbox: OutboxHealth, inbox: InboxHealth | None
) -> HealthBody:
    """The body of ``health``; ``status`` is None while core does not answer, and ``why_not`` then says so."""
    if status is None:
        return HealthBody(core="not_running", problem=why_not, outbox=outbox, inbox=inbox)
    config = _mapping(status.get("config"))
    return HealthBody(
        core="running",
        version=_text(status.get("version")),
        config_sha256=_text(config.get("sha256")),
        uptime_s=_number(status.get("uptime_s")),
        booting=status["booting"] if isinstance(status.get("booting"), bool) else None,
        clock_quality=_text(_mapping(status.get("clock")).get("quality")),
        faces={
            name: FaceHealth(
                health=_text(face.get("health")) or "unknown",
                reasons=[str(reason) for reason in face.get("reasons") or []],
            )
            for name, face in _entries(status.get("faces"))
        },
        parts=_parts(status),
        journal=_journal(_mapping(status.get("journal"))),
        latency_ms=dict(_mapping(status.get("latency_ms"))),
        counters=dict(_mapping(status.get("counters"))),
        outbox=outbox,
        inbox=inbox,
    )


def essence(body: HealthBody) -> Any:
    """What has to differ for the county to be told at once."""
    return (
        body.core,
        body.version,
        body.config_sha256,
        body.booting,
        body.clock_quality,
        {name: (face.health, face.reasons) for name, face in body.faces.items()},
        {name: (part.state, _without_numbers(part.problem)) for name, part in body.parts.items()},
        body.journal.stream,
        body.journal.losing,
        _without_numbers(body.journal.problem),
        _without_numbers(body.outbox.problem),
        None if body.inbox is None else _without_numbers(body.inbox.problem),
    )


def config_reported(status: Mapping[str, Any], outcome: Outcome | None = None) -> ConfigReportedBody | None:
    """The body of ``config/reported``, None when core does not say what it runs. ``outcome``: of the last bundle."""
    config = _mapping(status.get("config"))
    sha256 = _text(config.get("sha256"))
    if sha256 is None:
        return None
    layers = None
    with contextlib.suppress(ValueError):  # a core of another version; the rest is still worth telling
        layers = None if config.get("layers") is None else Chosen.model_validate(config["layers"])
    return ConfigReportedBody(
        sha256=sha256,
        version=_text(status.get("version")),
        sections=section_hashes_in(status),
        layers=layers,
        outcome=outcome,
    )


def section_hashes_in(status: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 by section of the configuration that core runs."""
    sections = _mapping(_mapping(status.get("config")).get("sections"))
    return {name: value for name, value in sections.items() if isinstance(value, str)}


def _journal(journal: Mapping[str, Any]) -> JournalHealth:
    lost = _mapping(journal.get("lost"))
    return JournalHealth(
        stream=_text(journal.get("stream")),
        problem=_text(journal.get("problem")),
        losing=journal.get("losing") is True,
        lost=LostEvents(**{name: _count(lost.get(name)) for name in LostEvents.model_fields}),
        set_aside=_count(journal.get("set_aside")),
    )


def _parts(status: Mapping[str, Any]) -> dict[str, PartHealth]:
    counters = {name: dict(_mapping(sensor.get("counters"))) for name, sensor in _entries(status.get("sensors"))}
    return {
        name: PartHealth(
            state=_text(part.get("state")) or "unknown",
            problem=_text(part.get("problem")),
            counters=counters.get(name, {}),
        )
        for name, part in _entries(status.get("parts"))
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _entries(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    return [(name, _mapping(entry)) for name, entry in _mapping(value).items()]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _without_numbers(text: str | None) -> str | None:
    return None if text is None else _NUMBER.sub("#", text)
