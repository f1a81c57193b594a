"""The report gives exactly the numbers that were put into the journal, as figures, tables and one page."""

import datetime
import html.parser
import json
import pathlib
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.cli.language import set_language
from device.events import EventKind
from device.incident_folder import NOTES
from device.recording import RecordingFile
from hal.clock import NS_PER_S, ClockQuality
from tests.support.day_journal import DAY, NEXT, at, change, duty, near_miss, passage, write
from tools.report.answer import answer
from tools.report.charts import Series, bars, scale
from tools.report.figures import Day, figures, percentile
from tools.report.page import page
from tools.report.reading import Read, incident_of, read
from tools.report.sentences import cautions, highlights
from tools.report.tables import tables
from tools.report.words import WORDS

BRANCH, EAST = "branch_south", "main_east"


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    set_language("en")
    yield
    set_language("zh")


def put(folder: pathlib.Path, events: list, quality: ClockQuality = ClockQuality.SYNCED) -> tuple[Day, Read]:  # type: ignore[type-arg]
    path = folder / "journal.db"
    write(path, events, quality)
    found = read(path, DAY, NEXT)
    return figures(found.rows, DAY, NEXT), found


def busy_hour() -> list:  # type: ignore[type-arg]
    """Between eight and nine: four who pass, one who turns off, one near miss, an hour of duty."""
    ten_minutes = {BRANCH: {"lit_s": 60.0, "arrivals": 2, "met_lit": 1}, EAST: {"fault_s": 30.0}}
    return [
        change(BRANCH, at(8, 4), "clear", "caution"),
        change(BRANCH, at(8, 5), "caution", "alert"),
        change(BRANCH, at(8, 6), "alert", "clear"),
        change(BRANCH, at(8, 30), "clear", "alert"),
        change(EAST, at(8, 30), "clear", "alert"),
        passage(EAST, at(8, 5), lead_s=5.0, met_lit=True, warned_mps=20.0, line_mps=15.0, braking_mps2=4.0),
        passage(EAST, at(8, 6), lead_s=7.0, met_lit=True, warned_mps=16.0, line_mps=14.0),
        passage(EAST, at(8, 7), lead_s=0.0, **{"class": None}),
        passage(BRANCH, at(8, 8), lead_s=None, line_mps=None, warned_mps=None, **{"class": "walker"}),
        passage(EAST, at(8, 9), how="turned_off", lead_s=None, line_mps=None),
        near_miss(at(8, 8, 30)),
        *[duty(at(8, minute), **ten_minutes) for minute in (10, 20, 30, 40, 50)],
        duty(at(9), **{BRANCH: {"lit_s": 60.0, "arrivals": 2, "needless": 1}, EAST: {}}),
    ]


def test_a_day_gives_exactly_the_numbers_put_in(tmp_path: pathlib.Path) -> None:
    day, found = put(tmp_path, busy_hour())
    hour = answer(day, found, DAY.date())["hours"][8]
    assert hour["passed"] == {"car": 2, "unknown": 1, "walker": 1} and hour["left_before"] == {"car": 1}
    assert hour["lead_s"] == {"count": 3, "dark": 1, "median": 5.0, "p5": 0.0}
    assert hour["met_lit"] == {"count": 2, "warned_kmh": 64.8, "line_kmh": 52.2, "change_kmh": -12.6}
    assert hour["met_dark"]["count"] == 1 and hour["hard_braking"] == 1 and hour["near_misses"] == 1
    assert hour["faces"][BRANCH] == {
        "activations": 2,
        "alerts": 2,
        "watched_s": 3600.0,
        "lit_s": 360.0,
        "fault_s": 0.0,
        "lit_pct": 10.0,
        "own_arrivals": 12,
        "met_lit": 5,
        "needless": 1,
        "needless_pct": 8.3,
    }
    assert hour["faces"][EAST]["fault_s"] == 150.0 and hour["faces"][EAST]["lit_pct"] == 0.0


def test_the_hours_add_up_to_the_day(tmp_path: pathlib.Path) -> None:
    later = [(kind, when + datetime.timedelta(hours=3), face, body) for kind, when, face, body in busy_hour()]
    day, found = put(tmp_path, [*busy_hour(), *later])
    said = answer(day, found, DAY.date())
    assert sum(hour["near_misses"] for hour in said["hours"]) == said["total"]["near_misses"] == 2
    assert said["total"]["passed"] == {"car": 4, "unknown": 2, "walker": 2}
    assert said["total"]["faces"][BRANCH]["lit_pct"] == 10.0
    assert said["events"] == len(busy_hour()) * 2
    assert json.loads(json.dumps(said)) == said


def test_a_day_is_a_local_day_and_ten_minutes_count_where_their_middle_is(tmp_path: pathlib.Path) -> None:
    events = [
        passage(EAST, DAY - datetime.timedelta(milliseconds=1)),
        passage(EAST, DAY),
        passage(EAST, NEXT - datetime.timedelta(milliseconds=1)),
        passage(EAST, NEXT),
        duty(DAY + datetime.timedelta(minutes=4), **{EAST: {"lit_s": 1.0}}),
        duty(NEXT + datetime.timedelta(minutes=4), **{EAST: {"lit_s": 2.0}}),
    ]
    day, _ = put(tmp_path, events)
    assert day.total.passed.total() == 2 and (day.hours[0].passed.total(), day.hours[23].passed.total()) == (1, 1)
    assert day.total.faces[EAST].lit_s == 2.0 and day.hours[23].faces[EAST].watched_s == 600.0


def test_nothing_known_is_null_and_never_zero(tmp_path: pathlib.Path) -> None:
    day, found = put(tmp_path, [change(BRANCH, at(8), "clear", "caution")])
    hour = answer(day, found, DAY.date())["hours"][8]
    assert hour["lead_s"] == {"count": 0, "dark": 0, "median": None, "p5": None}
    assert hour["met_lit"]["change_kmh"] is None and hour["faces"][BRANCH]["lit_pct"] is None
    assert "Lit time is not known yet" in " ".join(cautions(day, found, NEXT))


def test_an_event_that_is_not_as_the_node_writes_it_costs_itself(tmp_path: pathlib.Path) -> None:
    odd = [
        (EventKind.PASSAGE, at(8), EAST, {"how": "arrived"}),
        (EventKind.DUTY, at(8), None, {"watched_s": "x", "faces": {}}),
        (EventKind.NEAR_MISS, at(8), BRANCH, {"first": None}),
        (EventKind.CAUTION, at(8), BRANCH, {}),
        passage(EAST, at(8), lead_s="nan"),
        passage(EAST, at(8)),
    ]
    day, found = put(tmp_path, odd)
    assert day.odd == 5 and day.total.passed.total() == 1 and day.total.near_misses == 0
    assert any("5 events" in line for line in cautions(day, found, NEXT))


def test_an_untrusted_clock_is_said(tmp_path: pathlib.Path) -> None:
    day, found = put(tmp_path, busy_hour(), ClockQuality.FLOOR)
    assert any("cannot be trusted" in line for line in cautions(day, found, NEXT))
    write(tmp_path / "journal.db", [passage(EAST, at(30))], ClockQuality.FLOOR)
    again = read(tmp_path / "journal.db", DAY, NEXT)
    assert any("1 further events" in line for line in cautions(figures(again.rows, DAY, NEXT), again, NEXT))


def incident_file(folder: pathlib.Path, name: str, since: datetime.datetime, seconds: int) -> None:
    """One radar message a second."""
    since_ns = round(since.timestamp()) * NS_PER_S
    file = RecordingFile(folder / name, {}, anchor_wall_ns=since_ns, anchor_mono_ns=0, clock_quality="synced")
    for second in range(seconds + 1):
        file.put_radar("r_east", b"", second * NS_PER_S)
    file.note(NOTES, {"events": "[]"})
    file.close()


def test_a_near_miss_in_the_middle_of_a_long_recording_names_it_and_of_two_the_one_that_holds_more(
    tmp_path: pathlib.Path,
) -> None:
    folder = tmp_path / "incidents"
    folder.mkdir()
    first, second = "20261205T000400Z-near_miss-branch_south.mcap", "20261205T000850Z-alert-branch_south.mcap"
    incident_file(folder, first, at(8, 3, 30), 330)
    incident_file(folder, second, at(8, 8, 20), 60)
    _day, found = put(tmp_path, busy_hour())
    assert [incident_of(found, at(8, 8, second)) for second in (0, 30, 50)] == [first, first, second]
    assert incident_of(found, at(8, 3, 29)) is None and incident_of(found, at(8, 9, 21)) is None


def test_a_near_miss_names_its_recording(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "incidents"
    folder.mkdir()
    name = "20261205T000830Z-near_miss-branch_south.mcap"  # 08:08:30 in China
    for other in (name, "20261205T003000Z-alert-branch_south.mcap", "notes.txt", "x.mcap.part"):
        (folder / other).touch()
    day, found = put(tmp_path, busy_hour())
    (miss,) = day.near_misses
    assert incident_of(found, miss.when) == name
    assert incident_of(found, at(12)) is None
    table = next(table for table in tables(day, found) if table.title == "Near misses")
    assert table.rows == (
        (
            "08:08:30",
            "main_east truck 50 km/h",
            "branch_south walker 5 km/h",
            "1.2",
            "–",
            "branch_south 4.2, main_east –",
            name,
        ),
    )


def test_the_first_sentences_say_what_matters(tmp_path: pathlib.Path) -> None:
    said = highlights(put(tmp_path, busy_hour())[0])
    assert said[:2] == ["4 road users passed.", "1 near misses."]
    text = " ".join(said)
    assert "of 95 % at least 0.0 s before arrival, of half at least 5.0 s" in text
    assert "1 arrived with the lamp dark!" in text
    assert "lamp of branch_south was lit 10.0 % of the time, 2 times" in text
    assert "slowed by 12.6 km/h on average" in text
    assert "Of the 12 of its own at branch_south, 1 (8.3 %) met a lit lamp" in text


class Strict(html.parser.HTMLParser):
    """Elements that open and close in order, and what a browser would fetch."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "srcset", "action", "data"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def drawn(day: Day, found: Read, heading: str = "junction") -> str:
    said, mind = highlights(day), cautions(day, found, NEXT)
    return page(day, heading, "a day", said, mind, tables(day, found), "foot")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_is_whole_and_asks_nobody_for_anything(tmp_path: pathlib.Path, lang: str) -> None:
    set_language(lang)
    text = drawn(*put(tmp_path, busy_hour()))
    parser = Strict()
    parser.feed(text)
    assert parser.open == [] and parser.fetched == []
    assert "://" not in text and "url(" not in text and "@import" not in text and "<script" not in text
    assert "default-src 'none'" in text
    assert parser.seen.count("svg") == 8 and parser.seen.count("table") == 4
    assert parser.seen.count("figcaption") == parser.seen.count("svg"), "every chart says what it shows"


def test_what_comes_from_a_journal_cannot_become_markup(tmp_path: pathlib.Path) -> None:
    bad = "<script>x</script><img src=x>"
    day, found = put(tmp_path, [change(bad, at(8), "clear", "caution"), passage(EAST, at(8), **{"class": bad})])
    text = drawn(day, found, heading=bad)
    assert "<script" not in text and "<img" not in text and "&lt;script&gt;" in text


def test_every_bar_says_its_hour_and_value(tmp_path: pathlib.Path) -> None:
    text = drawn(*put(tmp_path, busy_hour()))
    titles = re.findall(r"<title>([^<]*)</title>", text)
    assert "08–09 Lit share of branch_south: 10.0 %" in titles
    assert "08–09 5th percentile: 0.0 s" in titles and "08–09 Near misses: 1 times" in titles


@given(values=st.lists(st.none() | st.floats(0, 1e6), min_size=24, max_size=24), whole=st.booleans())
def test_bars_stay_inside_the_chart(values: list[float | None], whole: bool) -> None:
    svg = bars([Series("x", values, "a")], "s", 0 if whole else 1)
    rects = list(svg.iter("rect"))
    assert len(rects) == sum(value is not None for value in values)
    for rect in rects:
        x, y, width, height = (float(rect.get(name, "nan")) for name in ("x", "y", "width", "height"))
        assert x >= 34 and x + width <= 354.1 and y >= 7.9 and y + height <= 130.1 and height > 0


@given(values=st.lists(st.floats(0, 1e6), max_size=24), whole=st.booleans())
def test_the_axis_reaches_the_highest_bar_with_few_round_steps(values: list[float], whole: bool) -> None:
    top, step = scale(values, whole=whole)
    assert top >= max([0.0, *values]) * (1 - 1e-6) and top >= step > 0
    assert 1 <= round(top / step) <= 4 + 1
    if whole:
        assert step >= 1


@given(values=st.lists(st.floats(0, 60), min_size=1, max_size=200), pct=st.floats(0, 100))
def test_a_percentile_is_a_value_that_occurred(values: list[float], pct: float) -> None:
    found = percentile(values, pct)
    assert found in values
    assert found is not None and sum(value <= found for value in values) >= pct / 100 * len(values) - 1e-6


def test_every_word_names_the_same_values_in_both_languages() -> None:
    for key, (zh, en) in WORDS.items():
        assert set(re.findall(r"{(\w+)}", zh)) == set(re.findall(r"{(\w+)}", en)), key


def test_each_hour_of_the_day_has_its_own(tmp_path: pathlib.Path) -> None:
    day, _ = put(tmp_path, [passage(EAST, at(hour)) for hour in range(24)])
    assert [span.passed.total() for span in day.hours] == [1] * 24
