"""A bundle's bytes: what was packed comes out to the byte; whatever else a node is fed is refused by a code."""

import dataclasses
import json
import pathlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import bundle
from configs.bundle import BundleError
from device.provisioning import trusted
from device.provisioning.verify import judge, verify
from tests.support.office import DAY, NODE, Office

ids = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,10}(\.[a-z0-9_-]{1,6}){0,2}", fullmatch=True)
names = st.lists(ids, min_size=1, max_size=3).map("/".join)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).map(str.encode)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(names, texts, max_size=6))
def test_what_was_packed_comes_out_to_the_byte(files: dict[str, bytes]) -> None:
    packed = bundle.pack(files)
    assert bundle.unpack(packed) == files
    assert packed == bundle.pack(dict(reversed(files.items())))


@settings(deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=300).map(zlib.compress))
def test_any_bytes_are_refused_or_are_a_bundle(packed: bytes) -> None:
    _refused_or_bundle(packed)


@settings(deadline=None)
@given(json_values | st.fixed_dictionaries({"format": st.just(bundle.FORMAT), "files": json_values}))
def test_any_json_is_refused_or_is_a_bundle(document: object) -> None:
    _refused_or_bundle(zlib.compress(json.dumps(document).encode("utf-8", "surrogatepass")))


def _refused_or_bundle(packed: bytes) -> None:
    try:
        files = bundle.unpack(packed)
    except BundleError as error:
        assert error.code in BundleError.messages
    else:
        assert bundle.unpack(bundle.pack(files)) == files


@settings(deadline=None)
@given(st.text(max_size=30))
def test_a_name_that_is_let_in_stays_in_its_folder(name: str) -> None:
    try:
        bundle.unpack(zlib.compress(json.dumps({"format": bundle.FORMAT, "files": {name: ""}}).encode()))
    except BundleError:
        return
    folder = pathlib.PurePosixPath("/somewhere")
    assert (folder / name).is_relative_to(folder)
    assert ".." not in (folder / name).parts
    assert name == name.lower().strip()


@pytest.mark.parametrize("name", ["1.root.json", "group-north.json", "north/group.yaml", "north/nodes/n0001.yaml"])
def test_the_names_of_a_bundle_are_let_in(name: str) -> None:
    assert bundle.unpack(bundle.pack({name: b"x"})) == {name: b"x"}


def test_a_name_may_be_as_long_as_two_ids_and_some() -> None:
    longest = "a" * bundle.MAX_NAME_CHARS
    assert bundle.unpack(bundle.pack({longest: b""})) == {longest: b""}
    with pytest.raises(BundleError) as refused:
        bundle.pack({longest + "a": b""})
    assert refused.value.code == "bad_name"


def test_a_bundle_as_large_as_may_be_is_read_and_one_byte_more_is_not(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "stick.bundle"
    path.write_bytes(bytes(bundle.MAX_PACKED_BYTES))
    assert len(bundle.read(path)) == bundle.MAX_PACKED_BYTES
    path.write_bytes(bytes(bundle.MAX_PACKED_BYTES + 1))
    with pytest.raises(BundleError) as refused:
        bundle.read(path)
    assert refused.value.code == "too_big"


def test_a_stick_that_cannot_be_read_says_which_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BundleError, match=r"gone\.bundle") as refused:
        bundle.read(tmp_path / "gone.bundle")
    assert refused.value.code == "unreadable"


def test_the_office_packs_nothing_that_a_node_would_refuse() -> None:
    with pytest.raises(BundleError) as refused:
        bundle.pack({"north/group.yaml": b"x" * bundle.MAX_UNPACKED_BYTES})
    assert refused.value.code == "bomb"
    with pytest.raises(BundleError) as refused:
        bundle.pack({"north/clip.wav": b"\xff\x00"})
    assert refused.value.code == "not_text"


@dataclasses.dataclass(frozen=True, repr=False)
class Heard:
    """What a node believes before and after a bundle, and its files."""

    before: trusted.Trusted
    after: trusted.Trusted
    packed: bytes

    @property
    def files(self) -> dict[str, bytes]:
        return bundle.unpack(self.packed)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    office = Office(tmp_path_factory.mktemp("keys"))
    node = trusted.begin(office.repository.files["1.root.json"])
    before = judge(office.says("north", 3, {"n0001": "policy: {hold_s: 6}\n"}), node, NODE).trusted
    office.rotates("online")
    packed = office.says("north", 4, {"n0001": "policy: {hold_s: 7}\n"})
    return Heard(before, judge(packed, before, NODE).trusted, packed)


def forge(files: dict[str, bytes], data: st.DataObject) -> bytes:
    """The bundle with one value anywhere in its metadata, or one byte of a text, replaced."""
    name = data.draw(st.sampled_from(sorted(files)), "file")
    if "/" in name:
        place = data.draw(st.integers(0, len(files[name]) - 1), "place")
        return bundle.pack({**files, name: files[name][:place] + b"~" + files[name][place + 1 :]})
    document = json.loads(files[name])
    holder, key = document, data.draw(st.sampled_from(sorted(document)), "key")
    while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.booleans(), "deeper"):
        holder = holder[key]
        places = range(len(holder)) if isinstance(holder, list) else sorted(holder)
        key = data.draw(st.sampled_from(places), "key")
    holder[key] = data.draw(json_values.filter(lambda value: value != holder[key]), "value")
    return bundle.pack({**files, name: json.dumps(document).encode()})


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans(), st.sampled_from([0, 40, 3000]))
def test_whatever_is_changed_in_a_bundle_nothing_else_is_believed(
    heard: Heard, data: st.DataObject, has_it: bool, days_later: int
) -> None:
    """Refused by a code, or, where only a signature was broken that nobody looks at again, the county's own word."""
    node = heard.after if has_it else heard.before
    node = trusted.Trusted(node.files, node.floor + days_later * DAY)
    try:
        found = judge(forge(heard.files, data), node, NODE)
    except BundleError:
        return
    assert found.group.text == "policy: {hold_s: 4}\n"
    assert found.trusted.files == heard.after.files
    assert days_later == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_bit_that_flips_on_the_way_moves_nothing(
    heard: Heard, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """But for the few bits with which deflate fills its last byte, which say nothing."""
    folder = tmp_path_factory.mktemp("node")
    trusted.save(folder, heard.before)
    before = (folder / trusted.FILE).read_bytes()
    place = data.draw(st.integers(0, len(heard.packed) - 1))
    flipped = bytes([heard.packed[place] ^ 1 << data.draw(st.integers(0, 7))])
    packed = heard.packed[:place] + flipped + heard.packed[place + 1 :]
    try:
        verify(packed, folder, NODE)
    except BundleError:
        assert (folder / trusted.FILE).read_bytes() == before
    else:
        assert bundle.unpack(packed) == heard.files
