"""Changes one value of a site file and leaves every other byte as it stands; keeps what was there before.

Invariants: ``set_value`` either returns a text whose values differ at exactly the asked path, or raises and changes
nothing; comments, order, spacing and quotes survive because only the value's own slice of the text is replaced
(a YAML emitter, even ruamel's round trip, would reflow aligned flow mappings); a site file is replaced in one step,
and the five before it are kept.
"""

import contextlib
import copy
import dataclasses
import fcntl
import hashlib
import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from configs import yaml_text
from configs.errors import ConfigError, Problem, both
from configs.files import give_to_owner_of, make_folder, write_atomically
from configs.yaml_text import Node

HISTORY_KEPT = 5
HISTORY_FOLDER = "config-history"

Path = tuple[str | int, ...]


def split_path(path: str) -> Path:
    """``voice.volume[0].volume_pct`` or ``voice.volume.0.volume_pct`` -> its parts. Raises ConfigError."""
    parts = re.sub(r"\[([0-9]+)\]", r".\1", path.strip()).split(".")
    if not path.strip() or any(not part for part in parts):
        raise ConfigError([Problem("no_such_path", path=path)])
    return tuple(int(part) if part.isdecimal() and part.isascii() else part for part in parts)


def set_value(text: str, path: str, value_text: str, *, file: str = "") -> str:
    """The text with ``path`` set to ``value_text`` (one YAML value). Raises ConfigError; the schema is not asked."""
    parts = split_path(path)
    try:
        value = yaml_text.parse_value(value_text)
    except ConfigError as error:
        raise ConfigError(
            [dataclasses.replace(found, line=None, path=path, value=value_text) for found in error.problems]
        ) from None
    root = yaml_text.parse(text, file)
    node, depth = _deepest(root, parts)
    wanted = _with_value(root.plain(), parts, value)
    if wanted is None or (depth < len(parts) and node.kind == "list"):
        raise ConfigError([Problem("no_such_path", file=file, line=node.line, path=path)])
    if depth == len(parts):
        if node.block_text or not (node.kind == "scalar" or node.flow or _list_for_list(text, node, value)):
            raise ConfigError([Problem("whole_section", file=file, line=node.line, path=path)])
        candidates = (_replace(text, node, written) for written in _writings(value_text, value))
    else:
        rest = [str(part) for part in parts[depth:]]
        if any(isinstance(part, int) for part in parts[depth:]):
            raise ConfigError([Problem("no_such_path", file=file, line=node.line, path=path)])
        candidates = (_insert(text, node, rest, written) for written in _writings(value_text, value))
    for candidate in candidates:
        with contextlib.suppress(ConfigError):
            if _same(yaml_text.parse(candidate).plain(), wanted):
                return candidate
    raise ConfigError([Problem("whole_section", file=file, line=node.line, path=path)])


def get_value(values: Any, path: str) -> Any:
    """What stands at a path in plain values. Raises ConfigError when nothing does."""
    found = values
    for part in split_path(path):
        try:
            found = found[int(part)] if isinstance(found, list) else found[str(part)]
        except (KeyError, IndexError, TypeError, ValueError):
            allowed = both(", ".join(found)) if isinstance(found, dict) else None
            raise ConfigError([Problem("no_such_path", path=path, allowed=allowed)]) from None
    return found


def _deepest(root: Node, parts: Path) -> tuple[Node, int]:
    """The node as far down the path as the file goes, and how many parts that took. An empty value counts as absent
    below itself (``heartbeat:`` has no ``pin``)."""
    node = root
    for depth, part in enumerate(parts):
        key = str(part) if node.kind == "map" else part
        if key not in node.children:
            return node, depth
        node = node.children[key]
    return node, len(parts)


def _with_value(values: Any, parts: Path, value: Any) -> Any:
    """A copy with the value set, sections made as needed; None when the path runs through a value."""
    result = copy.deepcopy(values)
    place = result
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(place, list):
            if not isinstance(part, int) or part >= len(place):
                return None
            key: Any = part
        elif isinstance(place, dict):
            key = str(part)
        else:
            return None
        if last:
            place[key] = value
        elif isinstance(place, dict) and place.get(key) is None:
            place[key] = {}
        place = place[key]
    return result


def _writings(value_text: str, value: Any) -> Iterator[str]:
    """Ways to write the value, the technician's own first; JSON is YAML, so the second always reads back."""
    own = value_text.strip()
    one_piece = "\n" not in own or own[0] in "[{"  # brackets say where they end, whatever the indentation
    if own and one_piece and " #" not in own and not own.startswith("#"):
        yield own
    yield json.dumps(value, ensure_ascii=False)


def _list_for_list(text: str, node: Node, value: Any) -> bool:
    """A list of lines ("- …") may be written anew as a whole where that costs no comment."""
    return (
        node.kind == "list"
        and isinstance(value, list)
        and node.key_end > 0
        and "#" not in text[node.key_end : node.end]
    )


def _replace(text: str, node: Node, written: str) -> str:
    if node.kind == "list" and not node.flow:
        colon = text.index(":", node.key_end)
        return f"{text[: colon + 1]} {written}{text[node.end :]}"
    if node.start < node.end:
        return text[: node.start] + written + text[node.end :]
    if node.key_end:  # an empty value: "key:" or "key: # comment"
        colon = text.index(":", node.start)
        return f"{text[: colon + 1]} {written}{text[colon + 1 :]}"
    return text[: node.start] + written + text[node.end :]


def _insert(text: str, node: Node, rest: list[str], written: str) -> str:
    """A new key (and the sections above it) at the end of mapping ``node``."""
    *sections, key = rest
    entry = f"{key}: {written}"
    for section in reversed(sections):
        entry = f"{section}: {{{entry}}}"
    if node.kind == "scalar":  # an empty section
        return _replace(text, node, f"{{{entry}}}")
    if node.flow:
        closing = node.end - 1
        inside = text[node.start + 1 : closing]
        body = inside.rstrip()
        gap = inside[len(body) :]
        comma = "" if not body or body.endswith(",") else ","
        space = " " if body else ""
        return f"{text[: node.start + 1]}{body}{comma}{space}{entry}{gap}{text[closing:]}"
    last = max(node.children.values(), key=lambda child: child.end)
    column = next(iter(node.children.values())).key_column
    line_end = text.find("\n", last.end if not last.block_text else last.end - 1)
    line_end = len(text) if line_end < 0 else line_end
    newline = "\r\n" if text[max(0, line_end - 1) : line_end + 1] == "\r\n" else "\n"
    if newline == "\r\n":
        line_end -= 1
    return f"{text[:line_end]}{newline}{' ' * column}{entry}{text[line_end:]}"


def _same(one: Any, other: Any) -> bool:
    """Equal with types told apart: 1, 1.0 and true are three values."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@contextlib.contextmanager
def locked(state_dir: pathlib.Path) -> Iterator[None]:
    """Holds off a second technician between reading a site file and replacing it. Raises OSError."""
    folder = _folder(state_dir)
    with (folder / ".lock").open("w") as lock:
        give_to_owner_of(state_dir, folder / ".lock")
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(site_path: pathlib.Path, text: str, state_dir: pathlib.Path) -> None:
    """Keeps the present file in the history and replaces it in one step. Raises OSError with nothing changed."""
    target = site_path.resolve()
    if target.exists():
        _push(target, target.read_bytes(), state_dir)
    write_atomically(target, text.encode())


def history(site_path: pathlib.Path, state_dir: pathlib.Path) -> list[pathlib.Path]:
    """The kept files of a site file, newest first."""
    return sorted(_folder(state_dir).glob(f"{_prefix(site_path.resolve())}-*.yaml"), reverse=True)


def rollback(site_path: pathlib.Path, state_dir: pathlib.Path) -> str:
    """Puts the newest kept file back and forgets it, so that rolling back again goes one further; returns the text
    it replaced. Raises LookupError when none is kept, OSError."""
    kept = history(site_path, state_dir)
    if not kept:
        raise LookupError(f"{site_path}: no earlier configuration is kept in {_folder(state_dir)}")
    target = site_path.resolve()
    replaced = target.read_text(encoding="utf-8") if target.exists() else ""
    write_atomically(target, kept[0].read_bytes())
    kept[0].unlink()
    return replaced


def take_back(site_path: pathlib.Path, text: str, state_dir: pathlib.Path, *, forget: bool) -> None:
    """Undoes an ``install`` (``forget``: drops the entry it made) or a ``rollback`` (keeps the entry again) that the
    node refused. Raises OSError."""
    target = site_path.resolve()
    if forget:
        for path in history(site_path, state_dir)[:1]:
            path.unlink()
    else:
        _push(target, target.read_bytes(), state_dir)
    write_atomically(target, text.encode())


def _push(target: pathlib.Path, data: bytes, state_dir: pathlib.Path) -> None:
    kept = history(target, state_dir)
    newest = int(kept[0].stem.rpartition("-")[2]) if kept else 0
    write_atomically(_folder(state_dir) / f"{_prefix(target)}-{newest + 1:06d}.yaml", data)
    for path in kept[HISTORY_KEPT - 1 :]:
        path.unlink(missing_ok=True)


def _folder(state_dir: pathlib.Path) -> pathlib.Path:
    folder = state_dir / HISTORY_FOLDER
    if not folder.is_dir():
        make_folder(folder)
        give_to_owner_of(state_dir, folder)
    return folder


def _prefix(target: pathlib.Path) -> str:
    # Two site files on one desk must not roll back into each other.
    return f"{target.stem}-{hashlib.sha256(str(target).encode()).hexdigest()[:8]}"
