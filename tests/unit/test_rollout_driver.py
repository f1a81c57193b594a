"""A change goes out in waves, stands, and is done; what does harm comes back. The office may stop at any point."""

import pathlib

import pytest

from device.provisioning.verify import Target
from device.provisioning.wave import everyone
from tests.support.office import DAY, OPENING
from tests.support.played_county import ANSWER_S, PlayedCounty
from tests.support.pole import ILL_HOLD_S
from tools.county.rollout.driver import Driver
from tools.county.rollout.state import Became, Order, Phase, ordered, path_of
from tools.county.trust import issue, repository
from tools.county.trust.errors import TrustError
from tools.county.trust.keys import KeyRing

NORTH, SOUTH = ("n0001", "n0002", "n0003"), ("n0004", "n0010")
FIVE = {"groups/north.yaml": "policy: {hold_s: 5}\n", "groups/south.yaml": "policy: {hold_s: 5}\n"}


@pytest.fixture
def county(tmp_path: pathlib.Path) -> PlayedCounty:
    return PlayedCounty(tmp_path)


def first_rollout(county: PlayedCounty) -> None:
    """The folder as it stands reaches everyone."""
    county.starts("100%", ())
    assert county.until_over(county.drives()).phase is Phase.DONE


def test_the_first_word_of_the_office_reaches_every_node_with_its_exception(county: PlayedCounty) -> None:
    first_rollout(county)
    assert county.holds() == {"n0001": 4, "n0002": 4, "n0003": 6, "n0004": 3, "n0010": 3}


def test_nobody_beyond_the_wave_has_it_before_the_wave_has_stood(county: PlayedCounty) -> None:
    first_rollout(county)
    county.wants(FIVE)
    county.starts()
    drives = county.drives()
    seen: dict[int, set[str]] = {}
    while not (found := drives.turn()).is_over:  # type: ignore[union-attr]
        county.clock.advance_ns(5_000_000_000)
        assert found is not None
        has_it = {node for node, hold_s in county.holds().items() if hold_s == 5}
        seen[found.wave] = has_it
        allowed = {"n0001"} if found.wave == 0 else set(county.poles)
        assert has_it <= allowed
    assert seen[0] == {"n0001"}
    assert county.holds() == {"n0001": 5, "n0002": 5, "n0003": 6, "n0004": 5, "n0010": 5}
    assert len(seen) == 3


def test_what_makes_faces_fault_stops_in_the_first_wave_and_nobody_else_ever_ran_it(county: PlayedCounty) -> None:
    first_rollout(county)
    county.wants({"groups/north.yaml": f"policy: {{hold_s: {ILL_HOLD_S}}}\n"})
    county.starts()
    found = county.until_over(county.drives())
    assert found.phase is Phase.WENT_BACK and "stuck target" in str(found.why)
    assert found.wave == 0
    assert county.holds() == {"n0001": 4, "n0002": 4, "n0003": 6, "n0004": 3, "n0010": 3}
    assert {node: settled.became for node, settled in found.settled.items()} == {"n0001": Became.BACK}
    assert all(pole.core.reloads <= 1 for node, pole in county.poles.items() if node != "n0001")


def test_a_group_that_does_not_change_is_told_nothing(county: PlayedCounty) -> None:
    first_rollout(county)
    south = county.broker.kept["south"]
    county.wants({"groups/north.yaml": "policy: {hold_s: 5}\n"})
    rollout = county.starts()
    assert set(rollout.group_of) == set(NORTH)
    county.until_over(county.drives())
    role = "group-south.json"
    before, after = repository.load(county.path).files[role], county.office.repository.files
    assert role not in after or before == after[role]
    assert county.broker.kept["south"] != south, "its bundle carries the newer timestamp"


def test_what_is_done_can_be_taken_back_without_a_passphrase(county: PlayedCounty) -> None:
    first_rollout(county)
    county.wants(FIVE)
    county.starts("100%", ())
    assert county.until_over(county.drives()).phase is Phase.DONE
    assert county.holds()["n0001"] == 5
    assert not ordered(path_of(county.path), Order.BACK).is_over, "whoever looks on waits for the way back"
    found = county.until_over(county.drives())
    assert (found.phase, found.why) == (Phase.WENT_BACK, "ordered")
    assert county.holds() == {"n0001": 4, "n0002": 4, "n0003": 6, "n0004": 3, "n0010": 3}


def test_a_node_that_is_away_counts_as_silent_and_catches_up_by_itself(county: PlayedCounty) -> None:
    first_rollout(county)
    county.broker.away = {"n0010"}
    county.wants(FIVE)
    county.starts("100%", ())
    found = county.until_over(county.drives())
    assert found.phase is Phase.DONE and found.failed == ["n0010"]
    assert found.settled["n0010"].became is Became.SILENT
    county.broker.away = set()
    county.drives().turn()
    assert county.holds()["n0010"] == 5, "the retained bundle was there for it"


def test_hours_without_a_broker_make_nobody_silent(county: PlayedCounty) -> None:
    first_rollout(county)
    county.broker.away = {"n0001"}
    county.wants(FIVE)
    county.starts()
    drives = county.drives()
    drives.turn()
    county.broker.is_settled = False
    for _hour in range(5):
        county.clock.advance_ns(3_600_000_000_000)
        found = drives.turn()
    assert found is not None and found.phase is Phase.WAVE and found.watched_s < ANSWER_S


def test_a_broker_that_lost_its_store_is_given_every_bundle_and_one_that_has_them_none(county: PlayedCounty) -> None:
    first_rollout(county)
    drives = county.drives()
    drives.turn()
    published = county.broker.published
    drives.turn()
    assert county.broker.published == published
    kept = dict(county.broker.kept)
    county.broker.kept.clear()
    drives.turn()
    assert county.broker.kept == kept


def test_whatever_is_signed_by_hand_meanwhile_stops_it_and_is_not_overwritten(county: PlayedCounty) -> None:
    first_rollout(county)
    county.wants(FIVE)
    county.starts()
    drives = county.drives()
    drives.turn()
    by_hand = repository.load(county.path)
    texts = {"group.yaml": Target("policy: {hold_s: 7}\n", everyone())}
    for _issue in range(5):
        by_hand = issue.sign_group(by_hand, "north", texts, county.office.ring, OPENING)
    repository.save(county.path, by_hand)
    found = county.until_over(drives)
    assert found.phase is Phase.STOPPED and "north" in str(found.why)
    drives.turn()
    drives.turn()
    assert county.holds()["n0001"] == 7


def test_a_key_that_is_not_within_reach_stops_the_program_and_not_the_rollout(
    county: PlayedCounty, tmp_path: pathlib.Path
) -> None:
    first_rollout(county)
    county.wants(FIVE)
    county.starts()
    (tmp_path / "elsewhere").mkdir()
    nothing = KeyRing([tmp_path / "elsewhere"], lambda *_: b"")
    with pytest.raises(TrustError) as missing:
        Driver(county.path, nothing, county.broker, county.clock, lambda: OPENING).turn()  # type: ignore[arg-type]
    assert missing.value.code == "too_few_keys"
    assert county.rollout().phase is Phase.WAVE
    assert county.until_over(county.drives()).phase is Phase.DONE


def test_a_driver_renews_the_online_signature_before_it_runs_out(county: PlayedCounty) -> None:
    first_rollout(county)
    later = OPENING + 20 * DAY
    before = repository.load(county.path).timestamp
    Driver(county.path, county.office.ring, county.broker, county.clock, lambda: later).turn()  # type: ignore[arg-type]
    after = repository.load(county.path).timestamp
    assert after.version == before.version + 1 and after.expires > before.expires
