"""A node joins its county by two commands of its technician and two of the office; nobody else's papers do anything."""

import base64
import json
import pathlib
import shutil
import ssl
import string
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import CodedError
from configs.loader import parse_yaml
from device.cli.app import cli as sentinel
from device.provisioning import enrolling, enrolment, papers, trusted
from hal.clock import NS_PER_S, VirtualClock
from tests.support.enrolment import PASSPHRASE, Desk, Pole
from tests.support.killed import killed_before
from tools.county import desk as office_desk
from tools.county.ca import authority, certificates
from tools.county.ca.enrol import PACKAGE_TERM
from tools.county.ca.errors import CaError
from tools.county.trust import repository


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Desk:
    return Desk(tmp_path / "office")


@pytest.fixture
def pole(tmp_path: pathlib.Path) -> Pole:
    return Pole(tmp_path / "pole", "371500/n0001")


def changed(file: pathlib.Path, **values: str) -> pathlib.Path:
    """A paper with something else in it."""
    document = json.loads(file.read_text()) | values
    other = file.with_name(f"changed-{file.name}")
    other.write_text(json.dumps(document))
    return other


# The way it should go.


def test_a_node_joins_its_county(desk: Desk, pole: Pole) -> None:
    pole.joins(desk, desk.package("n0001"))
    root = repository.load(desk.repository).files["1.root.json"]
    assert trusted.load(pole.county) == trusted.begin(root)
    found = enrolment.read(pole.state)
    assert found is not None
    assert (found.county, found.group, found.node) == ("371500", "north", "n0001")
    bridge = parse_yaml(pole.site.read_text(encoding="utf-8"), "").values["bridge"]
    assert bridge["url"] == f"mqtts://localhost:{desk.port}"
    context = ssl.create_default_context(cafile=bridge["ca_file"])
    context.load_cert_chain(bridge["cert_file"], bridge["key_file"])
    names = pole.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert [name.value for name in names] == ["371500/n0001"]


def test_the_office_registers_the_node_and_keeps_its_site_file_as_it_lies_on_the_pole(desk: Desk, pole: Pole) -> None:
    pole.joins(desk, desk.package("n0001"))
    assert (desk.files / "register.yaml").read_text() == (
        "county: 371500   # 聊城\nnodes:\n  # 从北到南\n  n0001: north\n"
    )
    assert (desk.files / "sites" / "n0001.yaml").read_bytes() == pole.site.read_bytes()
    assert "aligned by hand" in pole.site.read_text(encoding="utf-8")
    desk.enrols("n0002", "south")
    assert (desk.files / "register.yaml").read_text().endswith("  n0001: north\n  n0002: south\n")


def test_the_key_is_its_owners_alone_and_in_no_paper(desk: Desk, pole: Pole) -> None:
    request = pole.asks(desk.package("n0001"))
    assert (pole.county / enrolling.BEGUN).stat().st_mode & 0o777 == 0o600
    answer = desk.signs(request)
    pole.takes(answer)
    assert pole.pair.stat().st_mode & 0o777 == 0o600
    assert pole.county.stat().st_mode & 0o007 == 0
    secret = pole.pair.read_text().splitlines()[1]
    left = [path for path in desk.folder.rglob("*") if path.is_file()] + [request, answer]
    assert not any(secret in path.read_text(errors="replace") for path in left)
    assert sorted(path.name for path in pole.county.iterdir()) == [
        "ca.pem",
        "enrolment.json",
        "node.pem",
        "trusted.json",
    ]


def test_both_ends_tell_the_same_fingerprint(desk: Desk, pole: Pole) -> None:
    words = ("enroll", "n0001", "--group", "north", "--out", str(desk.folder / "p"))
    told = desk.does(*words, county=True, signed=True, answers=0)
    code, said = pole.says(desk.folder / "p")
    assert code == 0
    assert said["fingerprint"] == told["fingerprint"]
    other = changed(desk.folder / "p", root=json.dumps(json.loads((desk.folder / "p").read_text())["root"]) + " ")
    assert papers.Package.model_validate_json(other.read_text()).fingerprint != told["fingerprint"]


def test_a_request_that_was_lost_is_made_again_with_the_same_key(desk: Desk, pole: Pole) -> None:
    package = desk.package("n0001")
    keys = set()
    for _ in range(2):
        paper = papers.read(pole.asks(package))
        assert isinstance(paper, papers.Request)
        keys.add(authority.key_sha256(x509.load_pem_x509_csr(paper.csr.encode()).public_key()))
    assert len(keys) == 1


def test_an_answer_that_was_lost_is_given_again(desk: Desk, pole: Pole) -> None:
    request = pole.asks(desk.package("n0001"))
    first = desk.signs(request).read_bytes()
    answer = desk.signs(request)
    assert answer.read_bytes() == first
    pole.takes(answer)


# What the pole refuses.


def test_a_package_for_another_node_is_refused(desk: Desk, pole: Pole) -> None:
    assert pole.refuses(desk.package("n0002")) == "other_place"
    assert not pole.county.exists()


def test_a_used_package_is_refused_by_both_ends(desk: Desk, pole: Pole, tmp_path: pathlib.Path) -> None:
    package = desk.package("n0001")
    pole.joins(desk, package)
    before = pole.pair.read_bytes()
    assert pole.refuses(package) == "used"
    assert pole.pair.read_bytes() == before
    twin = Pole(tmp_path / "twin", "371500/n0001")
    assert desk.refuses(twin.asks(package)) == "used"


@pytest.mark.parametrize(("field", "code"), [("ca", "bad_ca"), ("root", "bad_root")])
def test_a_package_without_roots_is_refused(desk: Desk, pole: Pole, field: str, code: str) -> None:
    assert pole.refuses(changed(desk.package("n0001"), **{field: "{}"})) == code


def test_a_package_with_the_root_of_another_county_is_refused(desk: Desk, pole: Pole, tmp_path: pathlib.Path) -> None:
    other = Desk(tmp_path / "other", "371600")
    root = repository.load(other.repository).files["1.root.json"].decode()
    assert pole.refuses(changed(desk.package("n0001"), root=root)) == "bad_root"


def test_an_answer_without_a_package_is_refused(desk: Desk, pole: Pole, tmp_path: pathlib.Path) -> None:
    answer = desk.signs(pole.asks(desk.package("n0001")))
    assert Pole(tmp_path / "twin", "371500/n0001").refuses(answer) == "not_begun"


def test_an_answer_for_another_key_is_refused(desk: Desk, pole: Pole, tmp_path: pathlib.Path) -> None:
    package = desk.package("n0001")
    twin = Pole(tmp_path / "twin", "371500/n0001")
    answer = desk.signs(twin.asks(package))
    pole.asks(package)
    assert pole.refuses(answer) == "other_key"
    assert enrolment.read(pole.state) is None


def test_an_answer_of_another_authority_is_refused(desk: Desk, pole: Pole, tmp_path: pathlib.Path) -> None:
    pole.asks(desk.package("n0001"))
    thief = Desk(tmp_path / "thief")
    forged = Pole(tmp_path / "copy", "371500/n0001")
    forged.asks(thief.package("n0001"))
    begun = json.loads((pole.county / enrolling.BEGUN).read_text())
    own = json.loads((forged.county / enrolling.BEGUN).read_text())
    (forged.county / enrolling.BEGUN).write_text(json.dumps(own | {"key": begun["key"]}))
    answer = thief.signs(forged.asks(thief.folder / "n0001.package"))
    assert pole.refuses(answer) == "other_ca"


def test_an_answer_with_another_place_is_refused(desk: Desk, pole: Pole) -> None:
    answer = desk.signs(pole.asks(desk.package("n0001")))
    assert pole.refuses(changed(answer, node="n0002")) == "other_place"
    assert pole.refuses(changed(answer, certificate="x")) == "bad_certificate"


def test_a_certificate_with_the_name_of_another_node_is_refused(desk: Desk, pole: Pole) -> None:
    request = pole.asks(desk.package("n0001"))
    public = certificates.public_key_of(json.loads(request.read_text())["csr"])
    key = authority.open_key(desk.ca, lambda _name, _new: PASSPHRASE.encode())
    made = certificates.for_client("371500/n0002", public, desk.authority().certificate, key, office_desk.now())
    answer = desk.signs(request)
    assert pole.refuses(changed(answer, certificate=authority.pem(made))) == "other_place"


def test_a_site_file_that_was_changed_after_the_request_is_asked_for_again(desk: Desk, pole: Pole) -> None:
    package = desk.package("n0001")
    answer = desk.signs(pole.asks(package))
    pole.site.write_text(pole.site.read_text(encoding="utf-8").replace("hold_s: 3", "hold_s: 5"), encoding="utf-8")
    assert pole.refuses(answer) == "site_changed"
    pole.takes(desk.signs(pole.asks(package)))
    assert (desk.files / "sites" / "n0001.yaml").read_bytes() == pole.site.read_bytes()


@pytest.mark.parametrize("text", ["", "[]", "{}", "\0", '{"format": "sentinel-enrolment-package-1"}', "[" * 100_000])
def test_what_is_no_paper_is_told(pole: Pole, tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "paper").write_text(text)
    code, said = pole.says(tmp_path / "paper")
    assert (code, said["ok"]) == (2, False)
    assert not pole.county.exists()


def test_a_paper_that_is_too_long_or_not_there_is_told(desk: Desk, pole: Pole, tmp_path: pathlib.Path) -> None:
    (tmp_path / "paper").write_bytes(desk.package("n0001").read_bytes() + b" " * papers.MAX_BYTES)
    assert pole.says(tmp_path / "paper")[0] == 2
    assert pole.says(tmp_path / "nothing")[0] == 2
    assert pole.says(pole.asks(desk.package("n0001")))[0] == 2  # a request is for the office


# What the office refuses.


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_request_that_was_changed_on_its_way_is_refused(data: st.DataObject, desk: Desk, pole: Pole) -> None:
    if not hasattr(desk, "request"):
        desk.request = pole.asks(desk.package("n0001"))  # type: ignore[attr-defined]
        desk.package("n0002")
    document = json.loads(desk.request.read_text())  # type: ignore[attr-defined]
    field = data.draw(st.sampled_from(["csr", "site", "proof", "node"]))
    text = document[field]
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0123456789abcdefghi \n").filter(lambda char: char != text[at]))
    document[field] = "n0002" if field == "node" else text[:at] + other + text[at + 1 :]
    forged = desk.folder / "forged"
    forged.write_text(json.dumps(document))
    assert desk.refuses(forged) == "not_ours"
    assert not desk.authority().certified


def test_a_newer_package_ends_the_one_before(desk: Desk, pole: Pole, tmp_path: pathlib.Path) -> None:
    old = desk.package("n0001").rename(tmp_path / "old.package")
    new = desk.package("n0001")
    assert desk.refuses(pole.asks(old)) == "void"
    pole.joins(desk, new)


def test_a_package_that_was_lost_can_be_revoked(desk: Desk, pole: Pole) -> None:
    package = desk.package("n0001")
    desk.does("revoke", "n0001")
    assert desk.refuses(pole.asks(package)) == "void"
    assert desk.says("revoke", "n0001")[1]["code"] == "none_live"


def test_a_node_that_was_revoked_gets_no_certificate_for_its_old_request(desk: Desk, pole: Pole) -> None:
    request = pole.asks(desk.package("n0001"))
    pole.takes(desk.signs(request))
    desk.does("revoke", "n0001")
    assert desk.refuses(request) == "void"
    assert desk.authority().live("371500/n0001") == []


def test_a_new_package_is_not_for_an_old_key(desk: Desk, pole: Pole) -> None:
    request = pole.asks(desk.package("n0001"))
    pole.takes(desk.signs(request))
    document = json.loads(request.read_text())
    token = json.loads(desk.another_package("n0001").read_text())["token"]
    proof = papers.proof(token, document["csr"], document["site"])
    request.write_text(json.dumps(document | {"proof": proof}))
    assert desk.refuses(request) == "old_key"


def test_a_request_for_no_key_of_ours_is_refused(desk: Desk, pole: Pole) -> None:
    request = pole.asks(desk.package("n0001"))
    document = json.loads(request.read_text())
    token = json.loads((pole.county / enrolling.BEGUN).read_text())["package"]["token"]
    other = ed25519.Ed25519PrivateKey.generate()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(other, None)
    signed = x509.load_pem_x509_csr(document["csr"].encode()).public_bytes(Encoding.DER)
    stolen = base64.encodebytes(signed[:-1] + bytes([signed[-1] ^ 1])).decode()  # somebody's key, without its owner
    head, tail = (f"-----{word} CERTIFICATE REQUEST-----\n" for word in ("BEGIN", "END"))
    for text in ("", csr.public_bytes(Encoding.PEM).decode(), head + stolen + tail):
        proof = papers.proof(token, text, document["site"])
        request.write_text(json.dumps(document | {"csr": text, "proof": proof}))
        assert desk.refuses(request) == "bad_request"
    assert desk.refuses(desk.folder / "n0001.package") == "bad_request"


def test_two_programs_do_not_change_the_authority_at_once(desk: Desk) -> None:
    with authority.locked(desk.ca):
        assert desk.says("revoke", "n0001")[1]["code"] == "busy"


@pytest.mark.parametrize("error", [CaError, enrolling.EnrolError])
def test_every_refusal_says_the_same_in_both_languages(error: type[CodedError]) -> None:
    for code, text in error.messages.items():
        fields = [{part[1] for part in string.Formatter().parse(words)} - {None} for words in (text.zh, text.en)]
        assert fields[0] == fields[1], code
        assert text.zh != text.en


def test_a_package_that_turns_up_late_is_worth_nothing(desk: Desk, pole: Pole, monkeypatch: pytest.MonkeyPatch) -> None:
    request = pole.asks(desk.package("n0001"))
    later = office_desk.now() + PACKAGE_TERM
    for seconds in (1, -10):
        clock = VirtualClock(wall_ns=(round(later.timestamp()) + seconds) * NS_PER_S)
        monkeypatch.setattr(office_desk, "SYSTEM_CLOCK", clock)
        if seconds > 0:
            assert desk.refuses(request) == "late"
    pole.takes(desk.signs(request))


def test_an_office_whose_clock_stands_at_1970_certifies_nothing(
    desk: Desk, pole: Pole, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = pole.asks(desk.package("n0001"))
    monkeypatch.setattr(office_desk, "SYSTEM_CLOCK", VirtualClock(wall_ns=0))
    assert desk.refuses(request) == "clock_behind"
    assert desk.says("revoke", "n0001")[1]["code"] == "clock_behind"


def test_a_site_file_that_no_node_could_run_is_not_taken_in(desk: Desk, pole: Pole) -> None:
    request = pole.asks(desk.package("n0001"))
    document = json.loads(request.read_text())
    token = json.loads((pole.county / enrolling.BEGUN).read_text())["package"]["token"]
    sites = {
        "out_of_range": document["site"].replace("hold_s: 3", "hold_s: 0.2"),
        "other_site": document["site"].replace("n0001", "n0002"),
    }
    for code, site in sites.items():
        proof = papers.proof(token, document["csr"], site)
        request.write_text(json.dumps(document | {"site": site, "proof": proof}))
        assert desk.refuses(request) == code
    assert not (desk.files / "sites").exists()


def test_a_node_that_is_enrolled_gets_no_second_first_package(desk: Desk, pole: Pole) -> None:
    pole.joins(desk, desk.package("n0001"))
    words = ("enroll", "n0001", "--group", "north", "--out", str(desk.folder / "p"))
    assert desk.says(*words, county=True, signed=True, answers=0)[1]["code"] == "enrolled"


def test_a_package_is_made_for_a_group_and_a_node_that_can_be(desk: Desk) -> None:
    for words, code in (
        (("enroll", "n0001", "--group", "west"), "no_group"),
        (("enroll", "N-1", "--group", "north"), "bad_id"),
        (("replace", "n0009"), "not_registered"),
    ):
        assert desk.says(*words, county=True, signed=True, answers=0)[1]["code"] == code


def test_folder_repository_and_authority_are_of_one_county(desk: Desk, pole: Pole, tmp_path: pathlib.Path) -> None:
    request = pole.asks(desk.package("n0001"))
    own, other = desk.repository, Desk(tmp_path / "other", "371600")
    words = ("enroll", "n0001", "--group", "north", "--out", str(tmp_path / "package"))
    desk.repository = other.repository
    assert desk.says(*words, county=True, signed=True, answers=0)[1]["code"] == "other_county"
    desk.repository, desk.files = own, other.files
    assert desk.says(*words, county=True, signed=True, answers=0)[1]["code"] == "other_county"
    assert desk.refuses(request) == "other_county"
    assert desk.says("broker", "config", str(tmp_path), county=True)[1]["code"] == "other_county"


def test_an_authority_is_made_once_for_a_county_that_can_be(desk: Desk, tmp_path: pathlib.Path) -> None:
    before = (desk.ca / authority.KEY_FILE).read_bytes()
    words = ("ca", "init", "371500", "--broker", "mqtts://localhost:8883")
    assert desk.says(*words, answers=2)[1]["code"] == "exists"
    assert (desk.ca / authority.KEY_FILE).read_bytes() == before
    for words in (("ca", "init", "37", "--broker", "mqtts://h"), ("ca", "init", "371500", "--broker", "mqtt://h")):
        assert desk.says(*words, answers=2)[1]["code"] == "bad_id"


def test_the_offices_key_is_encrypted_and_opened_by_its_passphrase_alone(desk: Desk, pole: Pole) -> None:
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (desk.ca / authority.KEY_FILE).read_bytes()
    for name in (authority.KEY_FILE, authority.FILE):
        assert (desk.ca / name).stat().st_mode & 0o777 == 0o600
    request = pole.asks(desk.package("n0001"))
    (desk.ca / authority.KEY_FILE).write_bytes((desk.folder / "broker").name.encode())
    assert desk.refuses(request) == "passphrase"


# Again.


def test_a_replaced_node_keeps_what_it_knows_of_its_county(desk: Desk, pole: Pole) -> None:
    pole.joins(desk, desk.package("n0001"))
    known = trusted.load(pole.county)
    later = trusted.Trusted({**known.files, "timestamp.json": b"{}"}, known.floor)
    trusted.save(pole.county, later)
    first = pole.certificate
    (pole.county / enrolment.AWAITED).write_text("{}")
    pole.joins(desk, desk.another_package("n0001"))
    assert not (pole.county / enrolment.AWAITED).exists(), "it may have been another group's"
    assert pole.certificate.serial_number != first.serial_number
    assert pole.certificate.public_key() != first.public_key()
    assert trusted.load(pole.county) == later
    live = desk.authority().live("371500/n0001")
    assert [one.serial for one in live] == [f"{pole.certificate.serial_number:x}"]


def test_enrolling_again_mends_a_node_whose_files_are_damaged(desk: Desk, pole: Pole) -> None:
    pole.joins(desk, desk.package("n0001"))
    for name in ("trusted.json", "enrolment.json"):
        (pole.county / name).write_text("{")
    pole.joins(desk, desk.another_package("n0001"))
    assert trusted.load(pole.county).files
    assert enrolment.read(pole.state) is not None


# Killed anywhere.


class Again:
    """A pole as it was, for one cut after another."""

    def __init__(self, pole: Pole, file: pathlib.Path, kept: pathlib.Path) -> None:
        self.pole, self.file, self._kept = pole, file, kept
        shutil.copytree(pole.folder, kept)

    def types(self) -> None:
        places = ["--config", str(self.pole.site), "--state-dir", str(self.pole.state)]
        words = ["enroll", str(self.file), *places, "--run-dir", str(self.pole.folder / "run")]
        result = CliRunner().invoke(sentinel, words)
        assert result.exit_code == 0, result.output

    def cuts(self) -> Iterator[None]:
        """The pole after a cut before each change of a file; at last one that went through."""
        number, went_on = 0, True
        while went_on:
            shutil.rmtree(self.pole.folder)
            shutil.copytree(self._kept, self.pole.folder)
            went_on = killed_before(number, self.types)
            number += 1
            yield
        assert number > 5


@pytest.mark.timeout(300)
def test_a_request_that_is_cut_off_anywhere_is_made_by_the_same_command(
    desk: Desk, pole: Pole, tmp_path: pathlib.Path
) -> None:
    again = Again(pole, desk.package("n0001"), tmp_path / "kept")
    before = pole.site.read_text(encoding="utf-8")
    for _ in again.cuts():
        assert pole.site.read_text(encoding="utf-8") == before
        again.types()
        assert isinstance(papers.read(again.file.with_suffix(".request")), papers.Request)


@pytest.mark.timeout(300)
def test_an_answer_that_is_cut_off_anywhere_is_taken_by_the_same_command(
    desk: Desk, pole: Pole, tmp_path: pathlib.Path
) -> None:
    request = pole.asks(desk.package("n0001"))
    paper = papers.read(request)
    assert isinstance(paper, papers.Request)
    again = Again(pole, desk.signs(request), tmp_path / "kept")
    before = pole.site.read_text(encoding="utf-8")
    again.file = again.file.rename(tmp_path / "answer")
    for _ in again.cuts():
        found = pole.site.read_text(encoding="utf-8")
        assert found in (before, paper.site)
        if found == paper.site:  # whoever connects by it finds all that it names
            assert enrolment.read(pole.state) is not None
            assert trusted.load(pole.county).files
            assert pole.certificate
        if (pole.county / enrolling.BEGUN).exists():
            again.types()
        assert pole.site.read_text(encoding="utf-8") == paper.site
        assert f"{pole.certificate.serial_number:x}" == desk.authority().live("371500/n0001")[0].serial
        assert not (pole.county / enrolling.BEGUN).exists()


@pytest.mark.timeout(300)
def test_an_office_that_is_cut_off_anywhere_gives_the_same_certificate_when_asked_again(
    desk: Desk, pole: Pole, tmp_path: pathlib.Path
) -> None:
    request = pole.asks(desk.package("n0001"))
    kept = tmp_path / "kept"
    shutil.copytree(desk.folder, kept)
    number, went_on = 0, True
    while went_on:
        shutil.rmtree(desk.folder)
        shutil.copytree(kept, desk.folder)
        went_on = killed_before(number, lambda: desk.does("sign", str(request), county=True))
        number += 1
        before = desk.authority().live("371500/n0001")
        answer = papers.read(desk.signs(request))
        assert isinstance(answer, papers.Answer)
        (live,) = desk.authority().live("371500/n0001")
        assert answer.certificate == live.pem
        assert before in ([], [live])
        assert (desk.files / "register.yaml").read_text().endswith("  n0001: north\n")
        assert (desk.files / "sites" / "n0001.yaml").exists()
    assert number > 5
