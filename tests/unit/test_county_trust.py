"""The office signs: keys in their files, a repository that is one file, and a command for each thing people do."""

import datetime
import json
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tuf.api.metadata import Metadata

from configs import bundle
from device.cli.common import BAD_INPUT
from device.provisioning import trusted
from device.provisioning.verify import Target, verify
from device.provisioning.wave import Wave, everyone
from hal.clock import NS_PER_S, VirtualClock
from tests.support.office import DAY, NODE, OPENING, Office
from tools.county import desk as office_desk
from tools.county.trust import cli, issue, repository
from tools.county.trust.errors import TrustError
from tools.county.trust.keys import KeyRing

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def office(tmp_path: pathlib.Path) -> Office:
    return Office(tmp_path / "keys")


def refused(act: Callable[..., Any], *what: Any, **how: Any) -> TrustError:
    with pytest.raises(TrustError) as error:
        act(*what, **how)
    assert error.value.message("zh") != error.value.message("en")
    return error.value


# Keys.


def test_offline_keys_are_encrypted_each_by_its_own_passphrase_and_only_their_owner_may_read_them(
    office: Office, tmp_path: pathlib.Path
) -> None:
    office.says("north", 3)
    files = sorted((tmp_path / "keys").iterdir())
    assert [path.name.partition("-")[0] for path in files] == ["group", "online", "root", "root", "root", "targets"]
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600
        assert (b"ENCRYPTED" in path.read_bytes()) == (not path.name.startswith("online"))


def test_a_key_file_is_opened_by_its_passphrase_alone(office: Office, tmp_path: pathlib.Path) -> None:
    wrong = KeyRing([tmp_path / "keys"], lambda _name, _new: b"guess")
    error = refused(issue.renew, office.repository, "targets", wrong, office.now)
    assert error.code == "passphrase"
    assert "targets-" in str(error)


def test_a_passphrase_that_was_given_is_not_asked_for_again(office: Office, tmp_path: pathlib.Path) -> None:
    for group in ("north", "south"):
        office.says(group, 3)
    asked = []

    def ask(name: str, _new: bool) -> bytes:
        asked.append(name.partition("-")[0])
        return asked[-1].encode()

    ring = KeyRing([tmp_path / "keys"], ask)
    for group in ("north", "south", "root"):
        issue.renew(office.repository, group, ring, office.now)
    assert asked == ["group", "root"]


def test_the_online_key_renews_while_the_others_lie_in_the_safe(office: Office, tmp_path: pathlib.Path) -> None:
    online = tmp_path / "office"
    online.mkdir()
    for path in (tmp_path / "keys").glob("online-*"):
        path.rename(online / path.name)

    def nobody(name: str, _new: bool) -> bytes:
        raise AssertionError(f"asked for {name}")

    ring = KeyRing([online], nobody)
    after = issue.renew(office.repository, "timestamp", ring, office.now + DAY)
    assert after.timestamp.version == office.repository.timestamp.version + 1
    error = refused(issue.renew, after, "root", ring, office.now + DAY)
    assert (error.code, error.params["have"], error.params["need"]) == ("too_few_keys", 0, 2)


def test_two_root_keys_of_three_are_enough_and_one_is_not(office: Office, tmp_path: pathlib.Path) -> None:
    first, second, _ = sorted((tmp_path / "keys").glob("root-*"))
    first.unlink()
    ring = KeyRing([tmp_path / "keys"], lambda name, _new: name.partition("-")[0].encode())
    assert issue.renew(office.repository, "root", ring, office.now).root_version == 2
    second.unlink()
    ring = KeyRing([tmp_path / "keys"], lambda name, _new: name.partition("-")[0].encode())
    error = refused(issue.renew, office.repository, "root", ring, office.now)
    assert (error.code, error.params["have"]) == ("too_few_keys", 1)


def test_an_offline_key_without_a_passphrase_is_not_made(tmp_path: pathlib.Path) -> None:
    ring = KeyRing([tmp_path], lambda _name, _new: b"")
    assert refused(issue.create, "371500", ring, OPENING).code == "no_passphrase"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_key_file_that_is_broken_is_named(office: Office, tmp_path: pathlib.Path, text: bytes) -> None:
    path = next((tmp_path / "keys").glob("online-*"))
    path.write_bytes(text)
    ring = KeyRing([tmp_path / "keys"], lambda _name, _new: b"")
    error = refused(issue.renew, office.repository, "timestamp", ring, office.now)
    assert error.code == "key_unreadable"
    assert path.name in str(error)


def test_a_root_that_loses_a_key_is_signed_by_the_two_that_stay(office: Office) -> None:
    before = office.repository.root.roles["root"].keyids
    office.rotates("root", lost=before[1][:8])
    after = office.repository.root.roles["root"].keyids
    assert [key in before for key in after] == [True, False, True]
    signers = office.repository.metadata("2.root.json").signatures
    assert set(signers) == {before[0], before[2]}


def test_of_a_groups_old_key_nothing_stays(office: Office) -> None:
    office.says("north", 3)
    office.rotates("north")
    delegations = office.repository.targets.delegations
    assert delegations is not None
    assert delegations.roles is not None
    assert list(delegations.keys) == delegations.roles["group-north"].keyids


def test_a_root_key_to_replace_must_be_named(office: Office) -> None:
    for lost in (None, "x", ""):
        assert refused(office.rotates, "root", lost=lost).code == "no_such_key"


# What is signed.


def test_a_group_is_told_all_of_it_again(office: Office) -> None:
    office.says("north", 3, {"n0001": "{}\n"})
    office.says("north", 4)
    assert set(office.repository.texts("north")) == {"north/group.yaml", "north/files.json"}
    assert office.repository.role("north").version == 2


def test_a_wave_is_widened_by_signing_again(office: Office) -> None:
    office.says("north", 3, wave=Wave("spring", 10))
    office.says("north", 3, wave=Wave("spring", 1000))
    assert office.repository.role("north").targets["north/group.yaml"].custom["permille"] == 1000


def test_a_change_of_one_value_in_a_county_of_twenty_groups_is_a_message_of_less_than_4_kb(office: Office) -> None:
    for number in range(20):
        office.says(f"group_{number}", 3)
    packed = office.says("north", 3, {f"n{number:04}": f"policy: {{hold_s: {number}}}\n" for number in range(5)})
    assert len(packed) < 4000


FIVE = {"group.yaml": Target("policy: {hold_s: 5}\n", everyone())}
FIVE_TEXT = {"north": {"group.yaml": "policy: {hold_s: 5}\n"}}


def presigned(office: Office, ahead: int = 1) -> dict[str, bytes]:
    county = office.repository
    version = county.role("north").version + ahead
    return {"north": issue.presign(county, "north", FIVE, office.ring, office.now, version=version)}


def test_what_was_signed_before_is_said_with_the_online_key_alone(office: Office, tmp_path: pathlib.Path) -> None:
    office.says("north", 4, {"n0001": "policy: {hold_s: 6}\n"})
    ready = presigned(office, ahead=3)
    online = office.repository.root.roles["timestamp"].keyids[0]
    for key in office.ring.folders[0].glob("*.pem"):
        if online not in key.name:
            key.unlink()
    machine = KeyRing(office.ring.folders, lambda *_: pytest.fail("nobody is there"))
    said = issue.adopt(office.repository, ready, FIVE_TEXT, machine, office.now)
    trusted.save(tmp_path, trusted.begin(said.files["1.root.json"]))
    found = verify(repository.bundle_of(said, "north"), tmp_path, NODE)
    assert (found.group.text, found.node) == ("policy: {hold_s: 5}\n", None), "and nothing of what it said before"
    assert found.version == office.repository.timestamp.version + 1


def test_what_was_signed_before_dies_with_the_key_of_its_group(office: Office) -> None:
    office.says("north", 4)
    ready = presigned(office, ahead=5)
    office.rotates("north")
    with pytest.raises(TrustError) as refused:
        issue.adopt(office.repository, ready, FIVE_TEXT, office.ring, office.now)
    assert refused.value.code == "presigned_key"


def test_what_was_signed_before_does_not_overwrite_what_was_said_since(office: Office) -> None:
    office.says("north", 4)
    ready = presigned(office)
    office.says("north", 6)
    with pytest.raises(TrustError) as refused:
        issue.adopt(office.repository, ready, FIVE_TEXT, office.ring, office.now)
    assert refused.value.code == "presigned_old"


@pytest.mark.parametrize("name", ["../x.yaml", "group.yml", "nodes/N1.yaml", "nodes/a/b.yaml", "/group.yaml", "x.yaml"])
def test_a_file_of_another_name_is_not_signed(office: Office, name: str) -> None:
    texts = {name: Target("{}\n", everyone()), "group.yaml": Target("{}\n", everyone())}
    assert refused(issue.sign_group, office.repository, "north", texts, office.ring, office.now).code == "bad_target"


def test_a_group_needs_a_text_of_its_own_and_an_id(office: Office) -> None:
    text = Target("{}\n", everyone())
    act = (office.ring, office.now)
    assert refused(issue.sign_group, office.repository, "north", {}, *act).code == "no_group_target"
    for bad in ("North", "", "371500/n", "root", "online", "timestamp"):
        assert refused(issue.sign_group, office.repository, bad, {"group.yaml": text}, *act).code == "bad_id"
    assert refused(issue.create, "3715", *act).code == "bad_id"


def test_an_unknown_role_says_which_there_are(office: Office) -> None:
    office.says("north", 3)
    assert refused(office.renews, "snapshot").params["known"] == "root, targets, timestamp, north"
    assert refused(office.rotates, "snapshot").params["known"] == "root, targets, online, north"
    assert refused(office.bundle, "south").params["known"] == "north"


def test_an_office_whose_clock_fell_back_signs_nothing(office: Office) -> None:
    office.says("north", 3)
    assert refused(issue.renew, office.repository, "timestamp", office.ring, OPENING).code == "clock_behind"
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert refused(issue.create, "371500", office.ring, start).code == "clock_behind"


def test_an_office_whose_clock_ran_ahead_signs_nothing_until_a_person_says_so(office: Office) -> None:
    office.says("north", 3)
    later = office.now + 91 * DAY
    assert refused(issue.renew, office.repository, "timestamp", office.ring, later).code == "clock_ahead"
    after = issue.renew(office.repository, "timestamp", office.ring, later, after_pause=True)
    assert after.timestamp.unrecognized_fields["issued"] == later.strftime("%Y-%m-%dT%H:%M:%SZ")
    far = datetime.datetime(2038, 1, 19, tzinfo=datetime.UTC)
    error = refused(issue.renew, office.repository, "timestamp", office.ring, far, after_pause=True)
    assert (error.code, error.params["role"]) == ("expired", "root")


def test_no_bundle_is_cut_that_nodes_would_find_expired(office: Office) -> None:
    office.says("north", 3)
    while office.now < OPENING + 735 * DAY:
        office.now += 80 * DAY
        office.renews()
    error = refused(office.bundle)
    assert (error.code, error.params["role"]) == ("expired", "targets")
    office.renews("targets")
    assert refused(office.bundle).params["role"] == "north"
    office.renews("north")
    assert office.bundle()


# The file.


def test_a_repository_comes_back_as_it_was(office: Office, tmp_path: pathlib.Path) -> None:
    office.says("north", 3)
    repository.save(tmp_path / "county.json", office.repository)
    assert repository.load(tmp_path / "county.json") == office.repository


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "sentinel-repository-1", "files": {}}', '{"format": 1}'])
def test_a_repository_that_is_broken_is_named(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "county.json").write_text(text)
    error = refused(repository.load, tmp_path / "county.json")
    assert error.code == "unreadable"
    assert "county.json" in str(error)


def test_two_programs_do_not_change_a_repository_at_once(tmp_path: pathlib.Path) -> None:
    with repository.locked(tmp_path / "county.json"):
        with pytest.raises(TrustError) as error, repository.locked(tmp_path / "county.json"):
            pass
        assert error.value.code == "busy"
    with repository.locked(tmp_path / "county.json"):
        pass


# The command.


class Desk:
    """A person at the office's command line, with a calendar."""

    def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.folder = folder
        self.now = OPENING
        self.file = folder / "county.json"
        (folder / "keys").mkdir()
        (folder / "north" / "nodes").mkdir(parents=True)
        (folder / "north" / "group.yaml").write_text("policy: {hold_s: 4}\n")
        (folder / "north" / "nodes" / "n0001.yaml").write_text("policy: {hold_s: 6}\n")

    def types(self, *words: str, keys: bool = True, answers: int = 0) -> Result:
        self.now += DAY
        clock = VirtualClock(wall_ns=round(self.now.timestamp()) * NS_PER_S)
        self._monkeypatch.setattr(office_desk, "SYSTEM_CLOCK", clock)
        where = ["--repository", str(self.file), *(["--keys", str(self.folder / "keys")] if keys else [])]
        return CliRunner().invoke(cli.trust, [*words, *where], input="secret\n" * answers)


@pytest.fixture
def desk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_from_the_first_key_to_a_bundle_that_a_node_takes(desk: Desk, tmp_path: pathlib.Path) -> None:
    made = desk.types("init", "371500", answers=8)
    assert made.exit_code == 0, made.output
    assert "371500" in made.output
    stick = tmp_path / "stick.bundle"
    folder = str(desk.folder / "north")
    signed = desk.types("sign", "north", folder, "--node", "n0001", "--permille", "0", "--out", str(stick), answers=3)
    assert signed.exit_code == 0, signed.output
    files = repository.load(desk.file).files
    node = tmp_path / "node"
    node.mkdir()
    trusted.save(node, trusted.begin(files["1.root.json"]))
    found = verify(bundle.read(stick), node, NODE)
    assert found.group == Target("policy: {hold_s: 4}\n", Wave("all", 0, frozenset({"n0001"})))
    assert found.node is not None

    assert desk.types("renew").exit_code == 0
    assert desk.types("rotate", "online", answers=2).exit_code == 0
    assert desk.types("bundle", "north", str(stick), keys=False).exit_code == 0
    assert verify(bundle.read(stick), node, NODE).version == 4

    shown = json.loads(desk.types("show", "--json", keys=False).stdout)
    assert {role["role"]: role["version"] for role in shown["roles"]} == {
        "root": 2,
        "targets": 2,
        "snapshot": 4,
        "timestamp": 4,
        "north": 1,
    }
    assert shown["issued"] == Metadata[Any].from_bytes(files["timestamp.json"]).signed.expires.strftime(
        "2027-03-05T%H:%M:%SZ"
    )


def test_a_repository_is_not_made_twice(desk: Desk) -> None:
    assert desk.types("init", "371500", answers=8).exit_code == 0
    before = desk.file.read_bytes()
    again = desk.types("init", "371500", answers=8)
    assert again.exit_code == BAD_INPUT
    assert "已经有了" in again.output
    assert desk.file.read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ("sign", "north", "FOLDER", "--node", "N1"),
        ("sign", "South", "FOLDER"),
        ("renew", "south"),
        ("rotate", "root"),
        ("bundle", "south", "OUT"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.types("init", "371500", answers=8).exit_code == 0
    before = desk.file.read_bytes()
    places = {"FOLDER": str(desk.folder / "north"), "OUT": str(desk.folder / "out")}
    result = desk.types(*(places.get(word, word) for word in words), keys=words[0] != "bundle", answers=3)
    assert result.exit_code == BAD_INPUT, result.output
    assert desk.file.read_bytes() == before


def test_a_repository_that_is_not_there_is_named(desk: Desk) -> None:
    result = desk.types("show", keys=False)
    assert result.exit_code == BAD_INPUT
    assert "county.json" in result.output


def test_the_group_can_be_hung_into_the_offices_command() -> None:
    whole = click.Group(commands=[cli.trust])
    result = CliRunner().invoke(whole, ["trust", "--help"])
    assert result.exit_code == 0
    assert all(verb in result.output for verb in ("init", "sign", "bundle", "renew", "rotate", "show"))


def test_help_does_not_wait_for_what_signs() -> None:
    words = "import sys, tools.county.trust.cli; print(sorted({'tuf', 'cryptography', 'pydantic'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", words], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"
