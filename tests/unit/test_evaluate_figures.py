"""From tallies to lines: bars in both directions, nothing claimed of what was not counted, and the generated page."""

import dataclasses

from tools.bench import marked
from tools.evaluate.figures import BY_NAME, judged, lines, of_tallies
from tools.evaluate.findings import Finding
from tools.evaluate.page import FRESH_SECTION, SECTION, fresh_section, section, side_by_side, table, worst
from tools.evaluate.tally import Arrivals, Tally, Unit

GOOD = Unit("node", passages=1500, idle_s=1000.0)


def tally(weather: str, **changes: object) -> Tally:
    base = Tally(
        recording=f"t60-full-{weather}-1-1",
        weather=weather,
        fitting="full",
        duration_s=600.0,
        replay_s=1.0,
        radar_only=False,
        node=GOOD,
        roads={"branch": GOOD, "main": GOOD},
        named_dark=0,
        leads=1500,
        late=0,
        fault_s=0,
        cut_short=0,
        arrivals={"branch": Arrivals(100, 1, 9), "main": Arrivals(300, 2, 3)},
        met=400,
        inside=3,
        missed=0,
        missed_anyway=0,
        main_missed=7,
        sides=(
            dataclasses.replace(GOOD, needless_s=1.0),
            Unit("distance", 1500, 2, 2, 3.0, 150.0, 1000.0),
            Unit("bare", 1500, 9, 12, 9.0, 60.0, 1000.0),
        ),
        findings=(),
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def run(*tallies: Tally) -> dict[str, dict[str, object]]:
    return {str(line["name"]): line for line in lines(tallies, {})}


ALL = [tally("clean"), tally("faults"), tally("rain")]


def test_a_faultless_run_meets_every_bar() -> None:
    found = run(*ALL)
    assert all(line["ok"] is not False for line in found.values())
    assert found["evaluate_passages"]["value"] == 4500
    assert found["evaluate_arrivals_lit_for_nobody_pct"]["value"] == 0.75
    assert found["evaluate_arrivals_strict_branch_pct"]["value"] == 9.0
    assert found["evaluate_conflicts_inside"]["value"] == 9


def test_each_fault_misses_its_own_bar_and_no_other() -> None:
    dark = dataclasses.replace(GOOD, dark_passages=1)
    needless = dataclasses.replace(GOOD, needless_s=1.1)
    worse_sides = (dataclasses.replace(GOOD, dark_moments=40), *ALL[0].sides[1:])
    for changed, missed in (
        (tally("clean", node=dark), {"evaluate_dark_clean"}),
        (tally("faults", node=dark), {"evaluate_dark_faults_pct"}),
        (tally("rain", node=dark), set()),
        (tally("clean", node=needless), {"evaluate_needless_clean_pct"}),
        (tally("faults", node=dataclasses.replace(GOOD, needless_s=5.1)), {"evaluate_needless_faults_pct"}),
        (tally("rain", node=dataclasses.replace(GOOD, needless_s=31.0)), {"evaluate_needless_rain_pct"}),
        (tally("clean", late=4), {"evaluate_warned_in_time_pct"}),
        (tally("clean", missed=7), {"evaluate_alerted_pct"}),
        (tally("clean", fault_s=0.1), {"evaluate_fault_s"}),
        (
            tally("clean", arrivals={"branch": Arrivals(100, 60, 60), "main": Arrivals()}),
            {"evaluate_arrivals_lit_for_nobody_pct"},
        ),
        (tally("clean", sides=worse_sides), {"evaluate_wins_dark"}),
    ):
        found = run(changed, *(one for one in ALL if one.weather != changed.weather))
        assert {name for name, line in found.items() if line["ok"] is False} == missed


def test_nothing_counted_is_not_ok_in_a_whole_run_and_nothing_claimed_in_a_part() -> None:
    assert judged(BY_NAME["evaluate_alerted_pct"], None)["ok"] is False
    assert judged(BY_NAME["evaluate_alerted_low_pct"], 99.0)["ok"] is None
    part = {str(line["name"]): line for line in lines([ALL[0]], {}, partial=True)}
    assert part["evaluate_passages"]["ok"] is None
    assert part["evaluate_needless_rain_pct"]["ok"] is None
    assert part["evaluate_dark_clean"]["ok"] is True


def test_an_empty_run_claims_nothing_good() -> None:
    found = of_tallies([])
    assert found["evaluate_dark_clean"] is None and found["evaluate_alerted_pct"] is None
    assert not found["evaluate_wins_dark"]


def test_the_page_keeps_what_the_other_command_wrote() -> None:
    mine = section(list(lines(ALL, {})), ALL, command="make evaluate", took_min=3.0, load="0.5")
    page = marked.put("# Bench\n\nfigures\n", "evaluate", mine)
    assert page.startswith("# Bench\n\nfigures\n") and marked.taken(page, "evaluate") == mine.strip()
    again = marked.put(page, "evaluate", "other")
    assert marked.taken(again, "evaluate") == "other" and again.count("evaluate:begin") == 1
    assert marked.without(again, "evaluate").strip() == "# Bench\n\nfigures"
    assert marked.taken("# Bench\n", "evaluate") is None


def test_fresh_seeds_have_a_section_of_their_own_beside_the_fixed_plan() -> None:
    told_of = {"command": "make evaluate", "took_min": 3.0, "load": "0.5"}
    page = marked.put("# Bench\n", SECTION, section(list(lines(ALL, {})), ALL, **told_of))
    both = marked.put(page, FRESH_SECTION, fresh_section(list(lines(ALL, {})), ALL, **told_of))
    assert marked.taken(both, SECTION) == marked.taken(page, SECTION)
    assert "`evaluate_dark_clean`" in (marked.taken(both, FRESH_SECTION) or "")


def test_tables_name_every_figure_and_unit() -> None:
    text = table(list(lines(ALL, {})))
    assert "✓ evaluate_dark_clean" in text and "≥ 99.5" in text
    assert side_by_side(ALL).count("distance trigger") == 3


def test_the_worst_findings_come_first_with_their_recording() -> None:
    small, large = (
        Finding("dark", "r", "branch_south", 10.0, 10.0 + size_s, size_s, "car", "50 m", "node clear")
        for size_s in (0.1, 2.0)
    )
    told = worst([tally("clean", findings=(small, large))], "dark", limit=1)
    assert len(told) == 1 and told[0].startswith("t60-full-clean-1-1: dark") and "2.00 s" in told[0]
