"""The county's files on a node's disk: a set is whole or not there, is never changed, and goes when nobody names it."""

import hashlib
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.provisioning.files import Named
from device.provisioning.store import PART, Store

CONTENTS = {hashlib.sha256(data).hexdigest(): data for data in (b"one", b"two!", b"three")}


def listed(**names: bytes) -> dict[str, Named]:
    return {
        f"models/{name}": Named(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), urls=("http://x/a",))
        for name, data in names.items()
    }


def put(store: Store, *contents: bytes) -> None:
    store.files.mkdir(parents=True, exist_ok=True)
    for data in contents:
        (store.files / hashlib.sha256(data).hexdigest()).write_bytes(data)


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Store:
    return Store(tmp_path)


def test_a_set_that_is_there_is_left_as_it_is(store: Store) -> None:
    files = listed(a=b"one", b=b"one", c=b"two!")
    assert [named.bytes for named in store.to_fetch(files)] == [3, 4], "each content once"
    put(store, b"one", b"two!")
    assert store.to_fetch(files) == [] and store.lacks(files) == ["models/a", "models/b", "models/c"]
    store.fit(files)
    before = store.folder(files).stat()
    (store.files / hashlib.sha256(b"one").hexdigest()).unlink()
    store.fit(files)
    assert store.folder(files).stat() == before
    assert (store.folder(files) / "models" / "b").read_bytes() == b"one"
    assert store.lacks(files) == [] and store.to_fetch(files) == [], "what is there by name need not come again"


def test_a_set_of_which_a_file_is_gone_or_cut_needs_all_that_is_not_there(store: Store) -> None:
    files = listed(a=b"one", b=b"two!")
    put(store, b"one", b"two!")
    store.fit(files)
    (store.folder(files) / "models" / "a").unlink()
    (store.files / hashlib.sha256(b"two!").hexdigest()).unlink()
    assert store.lacks(files) == ["models/a"]
    assert [named.bytes for named in store.to_fetch(files)] == [4]


def test_what_was_left_half_made_is_made_anew(store: Store) -> None:
    files = listed(a=b"one")
    put(store, b"one")
    half = store.sets / f".{store.folder(files).name}"
    (half / "models").mkdir(parents=True)
    (half / "models" / "a").write_bytes(b"o")
    store.fit(files)
    assert store.lacks(files) == [] and not half.exists()


SETS = st.dictionaries(st.sampled_from("abc"), st.sampled_from([*CONTENTS.values()]), max_size=3).map(
    lambda names: listed(**names)
)


@settings(deadline=None)
@given(there=st.lists(SETS, max_size=4), kept=st.lists(SETS, max_size=2), parts=st.sets(st.sampled_from([*CONTENTS])))
def test_tidying_leaves_what_is_named_whole_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    there: list[dict[str, Named]],
    kept: list[dict[str, Named]],
    parts: set[str],
) -> None:
    store = Store(tmp_path_factory.mktemp("county"))
    put(store, *CONTENTS.values())
    for sha256 in parts:
        (store.files / f"{sha256}{PART}").write_bytes(b"o")
    for files in [*there, *kept]:
        store.fit(files)
    store.tidy(kept)
    assert all(store.lacks(files) == [] for files in kept)
    named = {file.sha256 for files in kept for file in files.values()}
    assert {path.name for path in store.files.iterdir()} == named | {f"{name}{PART}" for name in named & parts}
    folders = {path.name for path in store.sets.iterdir()} if store.sets.exists() else set()
    assert folders == {store.folder(files).name for files in kept if files}
