"""Unpacking one video out of a package, and what is said when it cannot be had."""

import gzip
import pathlib
import shutil
import subprocess

import pytest

from tools.demo import footage

AVI = b"RIFF\x10\x00\x00\x00AVI LIST" + bytes(range(256)) * 64
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")


def package(folder: pathlib.Path, files: dict[str, bytes]) -> pathlib.Path:
    """A real .deb that holds ``files`` and something large behind them."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: opencv-doc\nVersion: 1\nArchitecture: all\nMaintainer: t <t@example.net>\nDescription: t\n"
    )
    for name, data in {**files, "zz/large.bin": bytes(3_000_000)}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    made = folder / "opencv-doc_1_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made], check=True, capture_output=True)
    return made


@needs_dpkg
@pytest.mark.parametrize("name", ["usr/share/doc/opencv-doc/examples/data/vtest.avi", "a/b/vtest.avi.gz"])
def test_the_video_comes_out_whole_plain_or_gzipped(tmp_path: pathlib.Path, name: str) -> None:
    data = gzip.compress(AVI) if name.endswith(".gz") else AVI
    kept = tmp_path / "cache" / "vtest.avi"
    footage.extract(package(tmp_path, {"a/other.avi": b"no", name: data}), kept)
    assert kept.read_bytes() == AVI
    assert sorted(kept.parent.iterdir()) == [kept]


@needs_dpkg
@pytest.mark.parametrize("files", [{"a/other.avi": AVI}, {"a/vtest.avi": b"not a video at all"}])
def test_a_package_without_the_video_leaves_nothing_behind(tmp_path: pathlib.Path, files: dict[str, bytes]) -> None:
    kept = tmp_path / "cache" / "vtest.avi"
    with pytest.raises(footage.FootageError, match=r"vtest\.avi"):
        footage.extract(package(tmp_path, files), kept)
    assert list(kept.parent.iterdir()) == []


def test_a_video_in_the_cache_is_used_as_it_is(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # nothing can be fetched
    (tmp_path / "vtest.avi").write_bytes(AVI)
    assert footage.footage() == tmp_path / "vtest.avi"


def test_without_a_way_to_fetch_it_the_message_says_where_to_put_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SENTINEL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(footage, "INSTALLED", tmp_path / "not there")
    (tmp_path / "vtest.avi").write_bytes(b"cut")
    assert footage.main() == 1
    assert str(tmp_path / "vtest.avi") in capsys.readouterr().err


def test_a_failed_download_says_what_to_run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "apt-get"
    tool.write_text("#!/bin/sh\necho 'E: Unable to locate package opencv-doc' >&2\nexit 100\n")
    tool.chmod(0o755)
    monkeypatch.setenv("SENTINEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(footage, "INSTALLED", tmp_path / "not there")
    with pytest.raises(footage.FootageError, match=r"Unable to locate package.*apt-get update"):
        footage.footage()
