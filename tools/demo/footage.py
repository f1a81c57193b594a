"""Finds the demonstration's street video, or fetches it: ``vtest.avi`` of Debian's package ``opencv-doc``.

A fixed camera on a pole over a lane where people walk, 768 x 576, 10 pictures a second, 79.5 s. Invariants: of the
96 MB package only this file (8 MB) is kept, in the project's ``.cache``; the file appears there whole or not at all;
every failure says what to type. ``python -m tools.demo.footage`` fetches it ahead of time and prints where it is.
"""

import gzip
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from typing import IO

PACKAGE = "opencv-doc"
NAME = "vtest.avi"
INSTALLED = pathlib.Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
"""Where the package puts it, should somebody have it installed."""

FETCH_TIMEOUT_S = 600
_AVI_HEAD_BYTES = 12


class FootageError(OSError):
    """The video cannot be had; the message says why and what to do."""


def cache_dir() -> pathlib.Path:
    """``$SENTINEL_CACHE``, else ``.cache`` of the source tree, else the user's cache."""
    asked = os.environ.get("SENTINEL_CACHE")
    if asked:
        return pathlib.Path(asked)
    root = pathlib.Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").is_file():
        return root / ".cache"
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "branch-sentinel"


def footage() -> pathlib.Path:
    """The path of the video, fetched if it is not there yet. Raises FootageError."""
    kept = cache_dir() / NAME
    for path in (kept, INSTALLED):
        if is_avi(path):
            return path
    with tempfile.TemporaryDirectory(prefix="sentinel-footage-") as folder:
        package = _download(pathlib.Path(folder))
        extract(package, kept)
    return kept


def is_avi(path: pathlib.Path) -> bool:
    """Whether ``path`` is a file that begins like an AVI."""
    try:
        with path.open("rb") as file:
            head = file.read(_AVI_HEAD_BYTES)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def _download(folder: pathlib.Path) -> pathlib.Path:
    if shutil.which("apt-get") is None:
        raise FootageError(f"no apt-get here; put {NAME} of the OpenCV samples at {cache_dir() / NAME}")
    command = ["apt-get", "download", "-q", PACKAGE]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise FootageError(f"{' '.join(command)}: not done within {FETCH_TIMEOUT_S} s") from error
    found = sorted(folder.glob(f"{PACKAGE}_*.deb"))
    if done.returncode != 0 or not found:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise FootageError(
            f"{' '.join(command)}: {said}; run `apt-get update` as root and try again, "
            f"or put {NAME} of the OpenCV samples at {cache_dir() / NAME}"
        )
    return found[0]


def extract(package: pathlib.Path, kept: pathlib.Path) -> None:
    """Takes the video (plain or gzipped) out of a .deb into ``kept``. Raises FootageError."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as unpack:
            assert unpack.stdout is not None
            try:
                _copy_member(unpack.stdout, part)
            finally:
                # The rest of the package is of no interest; without a reader dpkg-deb ends.
                unpack.kill()
        if not is_avi(part):
            raise FootageError(f"{package.name}: its {NAME} is not an AVI file")
        part.replace(kept)
    except FileNotFoundError as error:
        raise FootageError(f"{command[0]}: not found; install the package dpkg") from error
    except tarfile.TarError as error:
        raise FootageError(f"{package.name}: {error}; delete it and try again") from error
    finally:
        part.unlink(missing_ok=True)


def _copy_member(stream: IO[bytes], target: pathlib.Path) -> None:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            name = pathlib.PurePosixPath(member.name).name
            if member.isfile() and name in (NAME, f"{NAME}.gz"):
                source = archive.extractfile(member)
                assert source is not None
                with source, target.open("wb") as out:
                    if name.endswith(".gz"):
                        with gzip.GzipFile(fileobj=source) as plain:
                            shutil.copyfileobj(plain, out)
                    else:
                        shutil.copyfileobj(source, out)
                return
    raise FootageError(f"package {PACKAGE}: holds no {NAME}; put that of the OpenCV samples at {cache_dir() / NAME}")


def main() -> int:
    """Fetches the video and prints its path; 1 with the reason when it cannot be had."""
    try:
        print(footage())
    except FootageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
