"""A run of provision makes the same configuration several times: its texts are parsed once and checked each time."""

import pathlib

import pytest

from configs import yaml_text
from configs.errors import ConfigError
from configs.local_layer import Local
from device.provisioning import place as places
from device.provisioning.place import Place
from device.provisioning.slots import Slot
from hal.clock import VirtualClock
from tests.support import site_files

SLOT = Slot(version=3, group="policy: {hold_s: 4}\n", node="policy: {gap_s: {car: 8}}\n")


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Place:
    return Place(site_files.write(tmp_path), tmp_path / "run", tmp_path / "state", VirtualClock())


def test_a_text_is_parsed_once_and_checked_each_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed, checked = [], []
    parse, check = yaml_text.parse, places.check_source
    monkeypatch.setattr(yaml_text, "parse", lambda text, file="": parsed.append(file) or parse(text, file))
    monkeypatch.setattr(places, "check_source", lambda source: checked.append(source.file) or check(source))
    made = [place.make(SLOT, Local()) for _ in range(3)]
    assert {(one.config.policy.hold_s, one.sha256) for one in made} == {(4.0, made[0].sha256)}
    assert len(parsed) == 3
    assert len(checked) == 3


def test_what_was_changed_since_is_read_anew(place: Place) -> None:
    before = place.make(SLOT, Local())
    place.site_path.write_text(site_files.with_change("limit_kmh: 40", "limit_kmh: 30"), encoding="utf-8")
    other = SLOT.model_copy(update={"node": None})
    after = place.make(other, Local())
    assert (before.config.approaches["main_east"].limit_kmh, after.config.approaches["main_east"].limit_kmh) == (40, 30)
    assert (before.config.policy.gap_s.car, after.config.policy.gap_s.car) == (8.0, 7.5)
    place.site_path.write_text("site: [", encoding="utf-8")
    with pytest.raises(ConfigError):
        place.make(SLOT, Local())
