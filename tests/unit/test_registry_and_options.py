"""The driver table and the options of drivers: every row opens to a driver, others add rows, nothing falls back."""

import dataclasses
import enum
import importlib.metadata

import pytest

from hal import registry
from hal.errors import OptionError
from hal.options import describe, option, parse
from hal.registry import TABLE, Driver


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, rows in TABLE.items() for name in rows])
def test_every_row_of_the_table_is_a_driver_described_in_both_languages(kind: str, name: str) -> None:
    row = registry.driver(kind, name)
    for described in describe(row.options):
        assert described["zh"] and described["en"], f"{kind} {name}.{described['name']}"


def test_an_unknown_word_lists_what_there_is() -> None:
    with pytest.raises(OptionError, match=r"ld2451 \| ops243"):
        registry.driver("radar", "ld9999")


@dataclasses.dataclass(frozen=True, slots=True)
class NoOptions:
    pass


FOREIGN = Driver(options=NoOptions, open=lambda *_: None)
SHADOW = Driver(options=NoOptions, open=lambda *_: None)
NOT_A_DRIVER = "text"


@pytest.fixture
def other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        importlib.metadata.EntryPoint(name, f"{__name__}:{attribute}", "sentinel.radars")
        for name, attribute in (("acme", "FOREIGN"), ("ld2451", "SHADOW"), ("broken", "NOT_A_DRIVER"))
    ]

    def entry_points(*, group: str, name: str | None = None) -> list[importlib.metadata.EntryPoint]:
        return [p for p in points if p.group == group and name in (None, p.name)]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    loaded = {"FOREIGN": FOREIGN, "SHADOW": SHADOW, "NOT_A_DRIVER": NOT_A_DRIVER}
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda self: loaded[self.attr])


@pytest.mark.usefixtures("other_packages")
def test_other_packages_add_rows_and_never_replace_ours() -> None:
    assert registry.names("radar")[-2:] == ["acme", "broken"]
    assert registry.driver("radar", "acme") is FOREIGN
    assert registry.driver("radar", "ld2451") is not SHADOW
    with pytest.raises(OptionError, match=r"hal\.registry\.Driver"):
        registry.driver("radar", "broken")


class Colour(enum.StrEnum):
    RED = "red"
    AMBER = "amber"


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    pin: int = option("引脚", "pin", ge=0, le=27)
    colour: Colour = option("颜色", "colour", default=Colour.AMBER)  # noqa: RUF009 - a field specifier
    gain: float | None = option("增益", "gain", default=None, ge=0)
    name: str = option("名字", "name", default="x", pattern="[a-z]+")
    mode: str = option("方式", "mode", default="fast", choices=("fast", "slow"))
    on: bool = option("开", "on", default=True)


def test_options_are_built_with_defaults_and_conversions() -> None:
    built = parse(Options, {"pin": 3, "gain": 2, "colour": "red"})
    assert built == Options(pin=3, colour=Colour.RED, gain=2.0)
    assert isinstance(built.gain, float)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({}, "pin"),
        ({"pin": 28}, "pin"),
        ({"pin": -1}, "pin"),
        ({"pin": True}, "pin"),
        ({"pin": 3.5}, "pin"),
        ({"pin": "3"}, "pin"),
        ({"pin": 1, "pinn": 2}, "pinn"),
        ({"pin": 1, "colour": "blue"}, "colour"),
        ({"pin": 1, "gain": -0.1}, "gain"),
        ({"pin": 1, "name": "X"}, "name"),
        ({"pin": 1, "mode": "idle"}, "mode"),
        ({"pin": 1, "on": "yes"}, "on"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_path(values: dict[str, object], path: str) -> None:
    with pytest.raises(OptionError) as refused:
        parse(Options, values)
    assert refused.value.path == path and refused.value.allowed


RANGED = [
    name
    for name in TABLE["radar"]
    if "sees_m" in {row["name"] for row in describe(registry.driver("radar", name).options)}
]


@pytest.mark.parametrize("name", RANGED)
def test_a_radar_never_looks_less_far_than_its_site_file_promises(name: str) -> None:
    options = registry.driver("radar", name).options
    assert parse(options, {"url": "/dev/ttyS9", "reach_m": 90.0, "sees_m": 100.0}).limit_m == 100.0
    assert parse(options, {"url": "/dev/ttyS9", "reach_m": 90.0}).limit_m == 90.0
    with pytest.raises(OptionError, match=r"sees_m: 80.*reach_m \(90\) or more.*99"):
        parse(options, {"url": "/dev/ttyS9", "reach_m": 90.0, "sees_m": 80.0})
