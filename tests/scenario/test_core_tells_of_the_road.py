"""Core tells of its road users after it has renewed its lamps: what it tells reaches the journal, and when the telling
fails every renewal goes out all the same."""

import pathlib
from collections.abc import Mapping

import pytest

from device.chronicle import Chronicle
from device.core import Core
from device.events import Event
from device.journal_reader import JOURNAL_FILE, JournalReader
from device.pipeline import Output
from device.runtime import Input, RadarInput
from device.sensors import radar_decoder
from hal.clock import NS_PER_MS, NS_PER_S, VirtualClock
from hal.interfaces import Shows
from hal.radar.ld2451_wire import WireTarget, encode_report
from tests.support.road import Vehicle, site

EAST = Vehicle(80, 20.0)
STEPS = 25 * 50


def drive(folder: pathlib.Path, core: Core, clock: VirtualClock) -> tuple[list[Mapping[str, object]], list[str]]:
    """A fast car comes and passes. What guard was asked for at each step, and the kinds of event in the journal."""
    asked: list[Mapping[str, object]] = []
    renew = core.guard.renew

    def noted(lamps: Mapping[str, tuple[Shows, int | None]], brightness_pct: int) -> None:
        asked.append({name: shows for name, (shows, _caused_ns) in lamps.items()})
        renew(lamps, brightness_pct)

    core.guard.renew = noted  # type: ignore[method-assign]
    decoders = {name: radar_decoder(core.config, name) for name in core.config.radars}
    for tick in range(STEPS):
        clock.advance_ns(20 * NS_PER_MS)
        now_ns, inputs = clock.monotonic_ns(), list[Input]()
        for name, decoder in decoders.items():
            seen = EAST.target(tick / 50) if tick % 5 == 0 and name == EAST.radar else None
            targets = [] if seen is None else [WireTarget(0, round(seen.distance_m or 0), 1, EAST.speed_kmh)]
            raw = encode_report(targets) if tick % 5 == 0 else b""
            inputs.append(RadarInput(name, tuple(decoder.feed(raw, now_ns)), raw, now_ns))
        core._step(now_ns, inputs)
    core.incident_files.close(timeout_s=20.0)
    core.vision.close()
    core.journal.close()
    return asked, [row.kind for row in JournalReader(folder / "state" / JOURNAL_FILE).after(0, 1_000)]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start_ns=100 * NS_PER_S)


@pytest.fixture
def core(tmp_path: pathlib.Path, clock: VirtualClock) -> Core:
    config = site().model_copy(update={"cameras": {}})
    for name in ("run", "state"):
        (tmp_path / name).mkdir()
    return Core(config, tmp_path / "site.yaml", tmp_path / "run", tmp_path / "state", clock)


def test_what_is_told_reaches_the_journal(tmp_path: pathlib.Path, core: Core, clock: VirtualClock) -> None:
    asked, kinds = drive(tmp_path, core, clock)
    assert len(asked) == STEPS and {"passage", "speeding", "caution"} <= set(kinds)


class Silent(Chronicle):
    """Cannot tell anything."""

    def step(self, now_ns: int, output: Output) -> tuple[Event, ...]:
        self._passages.step = None  # type: ignore[method-assign, assignment]
        self._road_events.step = None  # type: ignore[method-assign, assignment]
        return super().step(now_ns, output)


def test_when_the_telling_fails_every_renewal_goes_out(tmp_path: pathlib.Path, core: Core, clock: VirtualClock) -> None:
    core.chronicle = Silent(core.config)
    asked, kinds = drive(tmp_path, core, clock)
    assert len(asked) == STEPS and Shows.CAUTION in asked[18 * 50].values()
    assert "caution" in kinds and not {"passage", "speeding"} & set(kinds)
    assert core.chronicle.failed == 2 * STEPS and "TypeError" in (core.chronicle.problem(clock.monotonic_ns()) or "")
