"""A node and its county over the years: keys change, nodes sleep, clocks are wrong; the county's word still arrives."""

import datetime
import json
import pathlib
import types
from collections.abc import Iterator
from typing import Any

import pytest
import tuf.api._payload
import tuf.ngclient._internal.trusted_metadata_set
from tuf.ngclient import Updater

from configs.bundle import BundleError, unpack
from device.provisioning import trusted, tuf_client
from device.provisioning import verify as verify_module
from device.provisioning.refusal import Refused
from device.provisioning.verify import Addressee, verify
from device.provisioning.wave import Wave
from tests.support.office import COUNTY, DAY, NODE, OPENING, Office, forged_in, replaced


@pytest.fixture
def office(tmp_path: pathlib.Path) -> Office:
    return Office(tmp_path / "keys")


@pytest.fixture
def node(office: Office, tmp_path: pathlib.Path) -> pathlib.Path:
    """Enrolled on the day the office opened."""
    folder = tmp_path / "node"
    folder.mkdir()
    trusted.save(folder, trusted.begin(office.repository.files["1.root.json"]))
    return folder


def refusal(packed: bytes, folder: pathlib.Path, to: Addressee = NODE, **how: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        verify(packed, folder, to, **how)
    return refused.value


def test_a_node_hears_what_the_county_says_to_it(office: Office, node: pathlib.Path) -> None:
    wave = Wave("spring", 100, frozenset({"n0002"}))
    packed = office.says("north", 4, {"n0001": "policy: {hold_s: 6}\n", "n0002": "{}\n"}, wave=wave)
    found = verify(packed, node, NODE)
    assert found.group.text == "policy: {hold_s: 4}\n"
    assert found.group.wave == wave
    assert found.node is not None
    assert found.node.text == "policy: {hold_s: 6}\n"
    assert found.files is not None
    assert found.files.text == "{}\n"
    assert found.issued == office.now
    assert found.version == 2


def test_a_node_without_an_exception_has_none(office: Office, node: pathlib.Path) -> None:
    found = verify(office.says("north", 4, {"n0002": "{}\n"}), node, NODE)
    assert found.node is None


def test_the_same_bundle_again_moves_nothing(office: Office, node: pathlib.Path) -> None:
    packed = office.says("north", 4)
    first = verify(packed, node, NODE)
    file = node / trusted.FILE
    before = file.stat()
    assert verify(packed, node, NODE) == first
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert file.stat().st_ino == before.st_ino


def test_a_mirror_that_writes_the_same_with_other_spaces_stands_in_nobodys_way(
    office: Office, node: pathlib.Path
) -> None:
    packed = office.says("north", 4)
    wide = {
        name: json.dumps(json.loads(data), indent=4).encode()
        for name, data in unpack(packed).items()
        if "/" not in name
    }
    assert verify(replaced(packed, wide), node, NODE).group.text == "policy: {hold_s: 4}\n"
    assert verify(packed, node, NODE).group.text == "policy: {hold_s: 4}\n"
    office.renews()
    assert verify(office.bundle(), node, NODE).group.text == "policy: {hold_s: 4}\n"


def test_what_the_node_has_comes_broken_and_is_refused(office: Office, node: pathlib.Path) -> None:
    packed = office.says("north", 4)
    verify(packed, node, NODE)
    error = refusal(replaced(packed, {"group-north.json": b"{}"}), node)
    assert (error.code, error.params["role"]) == ("malformed", "group-north.json")


def test_a_node_that_slept_through_many_issues_takes_the_newest(office: Office, node: pathlib.Path) -> None:
    for hold_s in (3, 4, 5, 6):
        newest = office.says("north", hold_s)
    assert verify(newest, node, NODE).group.text == "policy: {hold_s: 6}\n"


def test_a_node_that_slept_through_two_new_roots_follows_the_chain(office: Office, node: pathlib.Path) -> None:
    verify(office.says("north", 3), node, NODE)
    first = office.repository.root.roles["root"].keyids
    office.rotates("root", lost=first[0])
    office.rotates("root", lost=first[1])
    assert office.repository.root_version == 3
    assert len({*first, *office.repository.root.roles["root"].keyids}) == 5
    found = verify(office.says("north", 4), node, NODE)
    assert found.group.text == "policy: {hold_s: 4}\n"
    assert json.loads(found.trusted.files["root.json"])["signed"]["version"] == 3


@pytest.mark.parametrize("role", ["online", "targets", "north"])
def test_every_key_can_be_changed_and_the_node_goes_along(office: Office, node: pathlib.Path, role: str) -> None:
    verify(office.says("north", 3), node, NODE)
    office.rotates(role)
    assert verify(office.bundle(), node, NODE).group.text == "policy: {hold_s: 3}\n"
    assert verify(office.says("north", 4), node, NODE).group.text == "policy: {hold_s: 4}\n"


@pytest.mark.parametrize("role", ["timestamp", "targets", "root", "north"])
def test_a_signature_that_was_renewed_says_the_same(office: Office, node: pathlib.Path, role: str) -> None:
    verify(office.says("north", 3), node, NODE)
    office.renews(role)
    found = verify(office.bundle(), node, NODE)
    assert found.group.text == "policy: {hold_s: 3}\n"
    assert found.version == 3


def test_a_bundle_for_newer_nodes_leaves_out_the_roots_they_have(office: Office, node: pathlib.Path) -> None:
    office.says("north", 3)
    office.rotates("online")
    verify(office.bundle(), node, NODE)
    office.rotates("online")
    assert {"3.root.json"} == {name for name in unpack(office.bundle(since=2)) if "root" in name}
    assert verify(office.bundle(since=2), node, NODE).trusted.files["root.json"]


def test_versions_that_a_thief_ran_up_are_forgotten_with_the_thiefs_key(office: Office, node: pathlib.Path) -> None:
    """The fast-forward attack: without this the office could never say anything newer again."""

    def far(signed: Any) -> None:
        signed.version = signed.snapshot_meta.version = 2**40

    stolen = office.key("timestamp")
    packed = forged_in(office.says("north", 3), "snapshot.json", lambda s: setattr(s, "version", 2**40), stolen)
    verify(forged_in(packed, "timestamp.json", far, stolen), node, NODE)
    assert refusal(office.says("north", 4), node).code == "rollback"
    office.rotates("online")
    assert verify(office.bundle(), node, NODE).group.text == "policy: {hold_s: 4}\n"


def test_a_node_that_moves_to_another_group_hears_that_one(office: Office, node: pathlib.Path) -> None:
    verify(office.says("north", 3), node, NODE)
    south = office.says("south", 4)
    assert verify(south, node, Addressee(COUNTY, "south", "n0001")).group.text == "policy: {hold_s: 4}\n"


# Time.


@pytest.fixture(params=[1970, 2038])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The machine's clock as provision and the framework see it."""

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Clock":
            return cls(request.param, 1, 19, tzinfo=tz)

    ours = (trusted, tuf_client, verify_module)
    for module in (*ours, tuf.api._payload, tuf.ngclient._internal.trusted_metadata_set):
        for name, value in vars(module).items():
            if value is datetime.datetime:
                monkeypatch.setattr(module, name, Clock)
            elif value is datetime:
                names = {**vars(datetime), "datetime": Clock}
                monkeypatch.setattr(module, name, types.SimpleNamespace(**names))
    assert tuf.ngclient._internal.trusted_metadata_set.datetime.datetime.now().year == request.param
    return request.param


def test_a_fresh_bundle_is_taken_whatever_the_machines_clock_says(
    wrong_clock: int, office: Office, node: pathlib.Path
) -> None:
    assert verify(office.says("north", 4), node, NODE).group.text == "policy: {hold_s: 4}\n"


def test_a_stale_bundle_is_refused_whatever_the_machines_clock_says(
    wrong_clock: int, office: Office, node: pathlib.Path
) -> None:
    assert refusal(office.says("north", 4), node, built_at=office.now + 31 * DAY).code == "expired"


def test_the_floor_is_the_newest_issue_and_stays_when_the_node_restarts(office: Office, node: pathlib.Path) -> None:
    assert trusted.load(node).floor == trusted.BUILT_AT
    verify(office.says("north", 4), node, NODE)
    assert trusted.load(node).floor == OPENING + DAY
    assert trusted.load(node, built_at=OPENING).floor == OPENING + DAY
    assert trusted.load(node, built_at=OPENING + 9 * DAY).floor == OPENING + 9 * DAY


def test_the_floor_stays_where_a_new_online_key_says_an_earlier_time(office: Office, node: pathlib.Path) -> None:
    office.says("north", 3)
    ahead = office.as_it_is()
    ahead.now += 20 * DAY
    ahead.renews()
    verify(ahead.bundle(), node, NODE)
    floor = trusted.load(node).floor
    office.rotates("online")
    found = verify(office.bundle(), node, NODE)
    assert found.issued < floor
    assert trusted.load(node).floor == floor


def test_what_expires_is_judged_by_the_newest_issue_the_node_has_heard(office: Office, node: pathlib.Path) -> None:
    verify(office.says("north", 3), node, NODE)
    office.now += 60 * DAY
    late = office.says("north", 4)

    def short(signed: Any) -> None:
        signed.expires = OPENING + 40 * DAY

    packed = forged_in(late, "timestamp.json", short, office.key("timestamp"))
    error = refusal(packed, node)
    assert (error.code, error.params["role"]) == ("expired", "timestamp.json")
    assert verify(late, node, NODE).group.text == "policy: {hold_s: 4}\n"


def test_the_library_still_lets_us_say_what_time_it_is(office: Office, tmp_path: pathlib.Path) -> None:
    root = office.repository.files["1.root.json"]
    updater = Updater(str(tmp_path), "bundle:/", fetcher=tuf_client._BundleFetcher({}), bootstrap=root)
    tuf_client.judge_at(updater, OPENING)
    assert updater._trusted_set.reference_time == OPENING


@pytest.mark.parametrize("gone", ["_trusted_set", "reference_time"])
def test_a_library_without_the_hook_stops_the_node_from_judging_by_its_clock(
    gone: str, office: Office, tmp_path: pathlib.Path
) -> None:
    root = office.repository.files["1.root.json"]
    updater = Updater(str(tmp_path), "bundle:/", fetcher=tuf_client._BundleFetcher({}), bootstrap=root)
    delattr(updater if gone == "_trusted_set" else updater._trusted_set, gone)
    with pytest.raises(RuntimeError, match="reference_time"):
        tuf_client.judge_at(updater, OPENING)


# The node's own file.


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": "sentinel-trusted-9", "floor": "2027-01-01T00:00:00Z", "files": {}}',
        '{"format": "sentinel-trusted-1", "floor": "2027-01-01T00:00:00Z", "files": {}}',
        '{"format": "sentinel-trusted-1", "floor": "2027", "files": {"root.json": "{}"}}',
        '{"format": "sentinel-trusted-1", "floor": 3, "files": {"root.json": "{}"}}',
        '{"format": "sentinel-trusted-1", "floor": "2027-01-01T00:00:00Z", "files": {"root.json": "{}"}}',
        '{"format": "sentinel-trusted-1", "floor": "2027-01-01T00:00:00Z", "files": {"root.json": 1}}',
    ],
)
def test_a_trust_file_that_is_broken_asks_for_a_new_enrolment(office: Office, node: pathlib.Path, text: str) -> None:
    (node / trusted.FILE).write_text(text)
    error = refusal(office.says("north", 4), node)
    assert error.code == "trust_unreadable"
    assert "sentinel enroll" in error.message("zh")


def test_a_node_that_was_never_enrolled_believes_nobody(office: Office, tmp_path: pathlib.Path) -> None:
    assert refusal(office.says("north", 4), tmp_path).code == "trust_unreadable"


def test_a_power_cut_while_trust_is_written_leaves_the_old_and_then_the_new(
    office: Office, node: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify(office.says("north", 3), node, NODE)
    before = trusted.load(node)
    packed = office.says("north", 4)
    with monkeypatch.context() as cut:
        cut.setattr(pathlib.Path, "replace", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            verify(packed, node, NODE)
    assert trusted.load(node) == before
    assert verify(packed, node, NODE).trusted == trusted.load(node) != before


def _power_cut(*_: object) -> None:
    raise KeyboardInterrupt


def test_nothing_of_a_judgement_stays_behind(
    office: Office, node: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    verify(office.says("north", 3), node, NODE)
    with pytest.raises(BundleError):
        verify(replaced(office.says("north", 4), {"targets.json": b"{}"}), node, NODE)
    assert list(scratch.iterdir()) == []
