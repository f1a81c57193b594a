"""The office names larger files for a group: what a node would refuse it refuses, and what it signs a node reads."""

import json
import pathlib
import shutil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.provisioning.files import MAX_CLIP_BYTES, MAX_FILES, MAX_MODEL_BYTES, MAX_TOTAL_BYTES, digest, hashes, parse
from device.provisioning.refusal import Refused
from hal.speaker import wav
from models.manifest import BUNDLED_MODELS
from tests.support.county_files import tone
from tests.support.county_folder import write
from tests.unit.test_county_config import answer, ask
from tools.county.checking import targets
from tools.county.folder import read

SHA = "0" * 64
URL = "https://files.example.net/371500/a"


def entry(**changed: Any) -> dict[str, Any]:
    return {"sha256": SHA, "bytes": 1000, "urls": [URL], **changed}


def test_what_is_named_is_read() -> None:
    found = parse(json.dumps({"clips/self_test.wav": entry(), "models/Road-Users_2.ncnn.bin": entry()}))
    assert found["clips/self_test.wav"].urls == (URL,)
    assert parse("{}\n") == {}


NAMES = [
    "clips/../x.wav", "clips/a/b.wav", "clips/A.wav", "clips/a.wav\n", "clips/.wav", "models/..", "models/.hidden",
    "models/a/b", "/etc/passwd", "a.wav", "", "models/", "models/" + "a" * 101,
]  # fmt: skip
URLS = [
    "file:///etc/passwd", "ftp://x/a", "https://x", "https:///a", "http://user:secret@x/a", "http://x/ a", "http://x/é",
    "http://x/a\n", "", "HTTP://x/a", "http://x/" + "a" * 301,
]  # fmt: skip


@pytest.mark.parametrize(
    "files",
    [
        *({name: entry()} for name in NAMES),
        *({"models/a": entry(urls=[url])} for url in URLS),
        {"models/a": entry(urls=[])},
        {"models/a": entry(urls=[URL] * 5)},
        {"models/a": entry(sha256=SHA[1:])},
        {"models/a": entry(sha256="A" * 64)},
        {"models/a": entry(bytes=0)},
        {"models/a": entry(bytes=-1)},
        {"models/a": entry(bytes="1000")},
        {"models/a": entry(bytes=1.0)},
        {"models/a": entry(bytes=MAX_MODEL_BYTES + 1)},
        {"clips/a.wav": entry(bytes=MAX_CLIP_BYTES + 1)},
        {"models/a": entry(more=1)},
        {"models/a": {"sha256": SHA, "bytes": 1}},
        {"models/a": entry(), "models/b": entry(bytes=999)},
        {f"models/{n}": entry() for n in range(MAX_FILES + 1)},
        {f"models/{n}": entry(sha256=f"{n:064}", bytes=MAX_MODEL_BYTES) for n in range(3)},
        [],
        None,
    ],
)
def test_what_is_not_well_named_is_refused_with_its_place(files: Any) -> None:
    with pytest.raises(Refused) as error:
        parse(json.dumps(files))
    assert error.value.code == "bad_files" and len(str(error.value)) < 400


def test_as_much_as_is_allowed_is_allowed() -> None:
    assert len(parse(json.dumps({f"models/{n}": entry() for n in range(MAX_FILES)}))) == MAX_FILES
    whole = {f"models/{n}": entry(sha256=f"{n:064}", bytes=MAX_TOTAL_BYTES // 2) for n in range(2)}
    assert parse(json.dumps(whole))
    assert parse(json.dumps({"clips/a.wav": entry(bytes=MAX_CLIP_BYTES, urls=["http://[::1]:80/a", URL])}))


@pytest.mark.parametrize("said", ["", "{", "[" * 100_000, '{"models/a": ' * 10_000, "\x00"])
def test_what_is_no_json_is_refused(said: str) -> None:
    with pytest.raises(Refused):
        parse(said)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
)


@given(
    st.dictionaries(
        st.from_regex(r"(clips/[a-z]{1,3}\.wav|models/[a-z]{1,3}|.{0,9})", fullmatch=True),
        st.fixed_dictionaries(
            {"sha256": st.sampled_from([SHA, "1" * 64]) | JSON, "bytes": st.integers(-1, 2**27) | JSON},
            optional={"urls": st.lists(st.sampled_from([URL, "file:///x"]), max_size=2) | JSON, "other": JSON},
        )
        | JSON,
        max_size=3,
    )
    | JSON
)
def test_whatever_is_signed_is_within_bounds_or_refused(values: Any) -> None:
    try:
        found = parse(json.dumps(values))
    except Refused:
        return
    assert hashes(found) == {name: values[name]["sha256"] for name in sorted(values)}
    assert all(url.startswith(("http://", "https://")) for named in found.values() for url in named.urls)
    assert sum({named.sha256: named.bytes for named in found.values()}.values()) <= MAX_TOTAL_BYTES
    assert digest(found) == digest(dict(reversed(found.items())))


# --- the verb --------------------------------------------------------------------------------------------------------


@pytest.fixture
def office(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "www").mkdir()
    return write(tmp_path / "county")


def clip_file(folder: pathlib.Path, level: int = 1000, name: str = "left_vehicle.wav") -> pathlib.Path:
    path = folder / name
    path.write_bytes(tone(level, folder))
    return path


def names(office: pathlib.Path, *paths: pathlib.Path, group: str = "north", code: int = 0) -> Any:
    bases = ["--url", "https://a.example.net/x/", "--url", "http://b.example.net"]
    publish = ["--publish", office.parent / "www"]
    return answer("files", group, *paths, "--folder", office, *bases, *publish, code=code)


def test_a_clip_is_named_published_checked_and_signed(office: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = clip_file(tmp_path)
    assert names(office, path)["files"] == {"clips/left_vehicle.wav": path.stat().st_size}
    assert answer("config", "check", office)["ok"]
    folder, problems = read(office)
    assert problems == []
    (named,) = parse(targets(folder)["north/files.json"].decode()).values()
    assert (tmp_path / "www" / named.sha256).read_bytes() == path.read_bytes()
    assert named.urls == (f"https://a.example.net/x/{named.sha256}", f"http://b.example.net/{named.sha256}")
    assert "south/files.json" not in targets(folder)


def test_another_clip_is_shown_by_diff_on_the_nodes_of_its_group(office: pathlib.Path, tmp_path: pathlib.Path) -> None:
    names(office, clip_file(tmp_path))
    shutil.copytree(office, tmp_path / "sent")
    names(office, clip_file(tmp_path, 2000))
    (change,) = answer("config", "diff", tmp_path / "sent", office)["changes"]
    assert change["path"] == "files: clips/left_vehicle.wav" and change["nodes"] == ["n0001", "n0002", "n0003"]
    assert change["before"] != change["after"] and change["file"] == "files/north.json"
    names(office)
    (change,) = answer("config", "diff", tmp_path / "sent", office)["changes"]
    assert "before" in change and "after" not in change


def test_a_model_brings_what_lies_beside_its_manifest(office: pathlib.Path) -> None:
    found = names(office, BUNDLED_MODELS["tiny"])["files"]
    assert "models/road_users_tiny.json" in found and len(found) >= 2
    patch = "detector: {manifest: county/road_users_tiny.json}\n"
    assert answer("config", "check", write(office, {"groups/north.yaml": patch}))["ok"]
    found = answer("config", "check", write(office, {"groups/south.yaml": patch}), code=2)
    wrong = [problem for problem in found["problems"] if problem["severity"] == "error"]
    assert [(problem["code"], problem["file"], problem["line"], problem["nodes"]) for problem in wrong] == [
        ("no_county_file", "groups/south.yaml", 1, ["n0004", "n0010"])
    ]


def test_what_no_node_could_use_is_refused_and_nothing_changes(office: pathlib.Path, tmp_path: pathlib.Path) -> None:
    sound = clip_file(tmp_path)
    (tmp_path / "self_test.wav").write_bytes(b"RIFF")
    (tmp_path / "long").mkdir()
    (tmp_path / "other").mkdir()
    long = tmp_path / "long" / "self_test.wav"
    _lengthened(sound, long)
    (tmp_path / "model.json").write_text("{}", encoding="utf-8")
    for path, code in [
        (clip_file(tmp_path, name="hello.wav"), "no_clip"),
        (tmp_path / "self_test.wav", "unusable"),
        (long, "too_long"),
        (tmp_path / "model.json", "unusable"),
        (clip_file(tmp_path / "other", 2000), "twice"),
        (office / "register.yaml", "neither"),
    ]:
        assert names(office, sound, path, code=2)["code"] == code
    assert names(office, sound, group="nroth", code=2)["code"] == "no_group"
    assert ask("files", "north", sound, "--folder", office, "--url", "ftp://x", "--publish", tmp_path).exit_code == 2
    assert not (office / "files").exists() and not list((tmp_path / "www").iterdir())


def _lengthened(path: pathlib.Path, out: pathlib.Path) -> None:
    sound = wav.read(path)
    wav.write(out, wav.Sound(sound.rate_hz, sound.channels, sound.samples * 30))


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("files/north.json", '{"models/a": {}}', "bad_value"),
        ("files/north.json", "{", "bad_value"),
        ("files/nroth.json", "{}", "stray_file"),
        ("files/north.yaml", "{}", "stray_file"),
    ],
)
def test_a_list_that_a_node_would_refuse_is_not_signed(office: pathlib.Path, name: str, said: str, code: str) -> None:
    found = answer("config", "check", write(office, {name: said}), code=2)
    wrong = [problem for problem in found["problems"] if problem["severity"] == "error"]
    assert [(problem["code"], problem["file"]) for problem in wrong] == [(code, name)]
