"""The office's folder: who is in which group, the patches, and every node's site file as commissioned.

    register.yaml          county: 371500, nodes: {n0001: north, ...}; a node has exactly one group
    fleet.yaml             patch for every node
    groups/{group}.yaml    patch for a group
    nodes/{node}.yaml      patch for one node, where it must differ
    sites/{node}.yaml      the site file that lies on the node
    files/{group}.json     the larger files for a group, as the node reads it (``sentinel-county files`` writes it)

Plain text, so that it can be kept under git and read by whoever answers for it. Invariants: nothing is written here;
everything wrong is told at once, with file and line; a file that belongs to nobody is wrong too, because somebody
thought it did something. A patch of blanks and comments is an empty one.
"""

import dataclasses
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from configs import loader
from configs.errors import ConfigError, Problem, both
from configs.layers import Layer, Part
from configs.loader import Source
from device.provisioning.files import Named, parse
from device.provisioning.refusal import Refused

REGISTER, FLEET = "register.yaml", "fleet.yaml"
GROUPS, NODES, SITES, FILES = "groups", "nodes", "sites", "files"
_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")
_COUNTY = re.compile(r"[1-9][0-9]{5}")
_SITE_ID = re.compile(rf"{_COUNTY.pattern}/{_ID.pattern}")


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """What the folder holds, parsed and not yet merged. Files are named as seen from the folder."""

    county: str
    group_of: Mapping[str, str]
    """Node -> group, in the order of the register."""
    fleet: Source
    groups: Mapping[str, Source]
    nodes: Mapping[str, Source]
    sites: Mapping[str, Source]
    files: Mapping[str, Mapping[str, Named]] = dataclasses.field(default_factory=dict)
    """Group -> its larger files by name; a group without any is not in it."""

    def parts(self, node: str) -> list[Part]:
        """The layers of a node from the bottom up; the group's are two files."""
        group = self.groups[self.group_of[node]]
        above = [Part(Layer.NODE, self.nodes[node])] if node in self.nodes else []
        return [Part(Layer.SITE, self.sites[node]), Part(Layer.GROUP, self.fleet), Part(Layer.GROUP, group), *above]

    def whole(self) -> list[str]:
        """The nodes of which everything is there that a node needs."""
        return [node for node, group in self.group_of.items() if node in self.sites and group in self.groups]


class Reader:
    """Reads files and remembers what is wrong; the same text is parsed once, for two folders mostly hold the same."""

    def __init__(self) -> None:
        self._parsed: dict[bytes, Source] = {}
        self.problems: list[Problem] = []

    def read(self, folder: pathlib.Path, name: str, *, patch: bool) -> Source | None:
        """One file, or None when something is wrong with it."""
        try:
            data = (folder / name).read_bytes()
            if data not in self._parsed:
                blank = patch and loader.is_blank(data.decode("utf-8", errors="replace"))
                self._parsed[data] = Source("", {}, {}) if blank else loader.read(folder / name)
        except OSError as error:
            self.problems.append(Problem("unreadable", file=name, params={"detail": error.strerror or str(error)}))
            return None
        except ConfigError as error:
            self.problems += [dataclasses.replace(problem, file=name) for problem in error.problems]
            return None
        return dataclasses.replace(self._parsed[data], file=name)

    def read_files(self, folder: pathlib.Path, name: str) -> Mapping[str, Named]:
        """A list of larger files; none when something is wrong with it."""
        try:
            return parse((folder / name).read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(Problem("unreadable", file=name, params={"detail": str(error)}))
        except Refused as error:
            self.problems.append(Problem("bad_value", file=name, params={"detail": error.params["detail"]}))
        return {}


def read(
    path: pathlib.Path,
    reader: Reader | None = None,
    watched: Callable[[Sequence[str]], Iterable[str]] = lambda nodes: nodes,
) -> tuple[Folder, list[Problem]]:
    """The folder at ``path`` and everything wrong with it. ``watched`` gets the nodes and hands them on, to show how
    far it is. Raises ConfigError where nothing else can be said: no register."""
    reader = reader or Reader()
    reader.problems = []
    register = reader.read(path, REGISTER, patch=False)
    if register is None:
        raise ConfigError(reader.problems)
    county, group_of = _register(register, reader.problems)
    fleet = reader.read(path, FLEET, patch=True) if (path / FLEET).exists() else Source(FLEET, {}, {})
    wanted = list(dict.fromkeys(group_of.values()))
    groups = {name: found for name in wanted if (found := _group(path, name, register, group_of, reader)) is not None}
    listed = [name for name in wanted if (path / FILES / f"{name}.json").exists()]
    files = {name: reader.read_files(path, f"{FILES}/{name}.json") for name in listed}
    nodes, sites = {}, {}
    for node in watched(list(group_of)):
        if (path / NODES / f"{node}.yaml").exists():
            nodes[node] = reader.read(path, f"{NODES}/{node}.yaml", patch=True)
        if (path / SITES / f"{node}.yaml").exists():
            sites[node] = reader.read(path, f"{SITES}/{node}.yaml", patch=False)
        else:
            reader.problems.append(_placed("no_site_file", register, node, allowed=f"{SITES}/{node}.yaml"))
    reader.problems += _strays(path, group_of)
    # A node whose own patch cannot be read is not checked without it.
    unread = {node for node, source in nodes.items() if source is None} | (set(group_of) if fleet is None else set())
    folder = Folder(
        county,
        group_of,
        fleet or Source(FLEET, {}, {}),
        groups,
        {node: source for node, source in nodes.items() if source is not None},
        {node: source for node, source in sites.items() if source is not None and node not in unread},
        files,
    )
    if _COUNTY.fullmatch(county):
        for node in folder.sites:
            reader.problems += _whose(folder, node)
    return folder, reader.problems


def register(path: pathlib.Path) -> tuple[str, Mapping[str, str]]:
    """The county of the folder at ``path``, and the group of each node. Raises ConfigError."""
    reader = Reader()
    found = reader.read(path, REGISTER, patch=False)
    county, group_of = ("", {}) if found is None else _register(found, reader.problems)
    if reader.problems:
        raise ConfigError(reader.problems)
    return county, group_of


def _register(source: Source, problems: list[Problem]) -> tuple[str, dict[str, str]]:
    """The county and the groups that the register tells."""
    values = source.values
    county = str(values.get("county", ""))
    if not _COUNTY.fullmatch(county):
        problems.append(_placed("bad_text", source, "county", above="", value=values.get("county"), allowed="371500"))
    problems += [
        _placed("unknown_key", source, key, above="", allowed="county, nodes", params={"key": key})
        for key in values
        if key not in ("county", "nodes")
    ]
    listed = values.get("nodes", "")
    if listed is None:  # a county's first day
        return county, {}
    if not isinstance(listed, dict):
        problems.append(_placed("wrong_type", source, "nodes", above="", value=listed, allowed="{n0001: north, …}"))
        return county, {}
    group_of = {}
    for node, group in listed.items():
        if _ID.fullmatch(node) and isinstance(group, str) and _ID.fullmatch(group):
            group_of[node] = group
        else:
            problems.append(_placed("bad_register", source, node, value=group, allowed=_ID.pattern))
    return county, group_of


def _group(
    path: pathlib.Path, name: str, register: Source, group_of: Mapping[str, str], reader: Reader
) -> Source | None:
    if (path / GROUPS / f"{name}.yaml").exists():
        return reader.read(path, f"{GROUPS}/{name}.yaml", patch=True)
    first = next(node for node, group in group_of.items() if group == name)
    reader.problems.append(_placed("no_group_file", register, first, value=name, allowed=f"{GROUPS}/{name}.yaml"))
    return None


def _strays(path: pathlib.Path, group_of: Mapping[str, str]) -> Iterator[Problem]:
    """Files that look as if they did something and do nothing."""
    known = {REGISTER, FLEET}
    known |= {f"{GROUPS}/{group}.yaml" for group in group_of.values()}
    known |= {f"{FILES}/{group}.json" for group in group_of.values()}
    known |= {f"{section}/{node}.yaml" for section in (NODES, SITES) for node in group_of}
    for found in sorted([*path.glob("*.y*ml"), *path.glob("*/*.y*ml"), *path.glob(f"{FILES}/*")]):
        name = str(found.relative_to(path))
        if name not in known and not name.startswith("."):
            allowed = both(
                ", ".join([REGISTER, FLEET, *(f"{part}/*.yaml" for part in (GROUPS, NODES, SITES)), f"{FILES}/*.json"])
            )
            yield Problem("stray_file", file=name, allowed=allowed)


def _whose(folder: Folder, node: str) -> Iterator[Problem]:
    """A site file must be that of the node whose name it has. An id that is none at all is the schema's to tell."""
    source = folder.sites[node]
    info = source.values.get("site")
    named = info.get("id") if isinstance(info, dict) else None
    if isinstance(named, str) and _SITE_ID.fullmatch(named) and named != f"{folder.county}/{node}":
        allowed = both(f"{folder.county}/{node}")
        line = source.line(("site", "id"))
        yield Problem("other_site", file=source.file, line=line, path="site.id", value=named, allowed=allowed)


def _placed(code: str, register: Source, key: str, *, above: str = "nodes", allowed: str, **fields: object) -> Problem:
    """A problem at a line of the register."""
    path = (above, key) if above else (key,)
    place = {"file": register.file, "line": register.line(path), "path": loader.dotted(path)}
    return Problem(code, allowed=both(allowed), **place, **fields)  # type: ignore[arg-type]
