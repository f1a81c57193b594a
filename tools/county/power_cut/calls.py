"""The system calls with which a program changes files, read from ``strace -f -xx`` (Debian package ``strace``).

Invariants: every call that could change a file is asked for, whoever in the process makes it (Python, its C libraries);
a call that failed changed nothing and is left out; a second process, or a line that cannot be read, is an error and
never passed over.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence

CALLS = (
    *("open", "openat", "openat2", "creat", "close", "dup", "dup2", "dup3", "fcntl", "lseek"),
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range", "splice", "vmsplice"),
    *("truncate", "ftruncate", "fallocate", "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "chown", "lchown", "fchown"),
    *("fchownat", "mmap", "io_uring_setup", "clone", "clone3", "fork", "vfork"),
)
"""Times and attributes of a file are left out: nobody reads them after a power cut."""

_LONGEST = 16 * 1024 * 1024
"""Bytes that strace shows of one write: more than a node's largest file."""

_LINE = re.compile(r"(?:(?P<pid>\d+) +)?(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|0x[0-9a-f]+)(?: .*)?")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_SAID = re.compile(r"(?:\d+ +)?(?:\+\+\+|---) .*")


class TraceError(RuntimeError):
    """The calls of a program cannot be had, or not be understood; says which."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call that succeeded. ``texts``: its strings and buffers in order; ``words``: its arguments as strace writes
    them, each string as ``""``."""

    name: str
    words: tuple[str, ...]
    texts: tuple[bytes, ...]
    result: int


def traced(command: Sequence[str], log: pathlib.Path, env: Mapping[str, str] | None = None) -> list[Call]:
    """Runs a command to its end and returns its calls. Raises TraceError."""
    strace = shutil.which("strace")
    if strace is None:
        raise TraceError("strace: not found; install the package strace")
    wanted = "trace=" + ",".join(f"?{name}" for name in CALLS)
    words = [strace, "-f", "-xx", "-s", str(_LONGEST), "-e", wanted, "-o", str(log), *command]
    # strace writes the reasons of failed calls in the language of whoever runs it.
    plain = {**(os.environ if env is None else env), "LC_ALL": "C"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=plain)
    if done.returncode != 0:
        raise TraceError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
    with log.open(encoding="ascii") as lines:
        return list(parse(lines))


def parse(lines: Iterator[str] | Sequence[str]) -> Iterator[Call]:
    """The calls in the lines of a log. Raises TraceError."""
    first: str | None = None
    for line in lines:
        if _SAID.fullmatch(line.rstrip("\n")):
            continue
        match = _LINE.fullmatch(line.rstrip("\n"))
        if match is None:
            raise TraceError(f"a line of strace that cannot be read: {line[:200]!r}")
        first = first or match["pid"]
        if match["pid"] != first:
            raise TraceError(f"a second process or thread, {match['pid']} beside {first}: whose calls come first?")
        if (result := int(match["result"], 0)) < 0:
            continue
        texts = _TEXT.findall(match["arguments"])
        if any(cut for _text, cut in texts):
            raise TraceError(f"a write of more than {_LONGEST} bytes")
        words = tuple(_TEXT.sub('""', match["arguments"]).split(", "))
        data = tuple(bytes.fromhex(text.replace("\\x", "")) for text, _cut in texts)
        yield Call(match["name"], words, data, result)
