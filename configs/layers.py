"""The layers of a node's configuration: how they are merged, what a patch may touch, and who is to blame. Pure.

A complete *site file* lies at the bottom; patches of the group, the node and the technician lie over it, later ones
winning. A patch is a JSON merge patch (RFC 7396): maps merge key by key, ``null`` removes, everything else (lists too)
replaces. The merge is ten lines of our own: the libraries for it are as long, and none composes two patches or can say
where a value came from. The office, the node and the tests use this one module.

Invariants: no input is ever changed; a patch reaches ``OPEN`` paths alone, whoever signed it: what stands at the pole
(``lamps`` and their pins, sensors, what the camera sees), who the node is and whom it calls belong to the site layer;
a problem names the layer that brought it; depth and size are bounded before anything is merged.
"""

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from configs import yaml_text
from configs.errors import ConfigError, Problem, both
from configs.loader import Source, dotted
from configs.schema import Recording, SiteConfig

Path = tuple[str, ...]
Patch = Mapping[str, Any]
Check = Callable[[Source], tuple[SiteConfig, list[Problem]]]
"""Says whether a configuration is right: (it, its warnings), or ConfigError. ``device.site.check_source`` is one."""


class Layer(enum.StrEnum):
    """Where a part of a configuration comes from, from the bottom up."""

    SITE = "site"
    GROUP = "group"
    NODE = "node"
    LOCAL = "local"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One file of one layer. Several may share a layer: at the office a group's is the fleet's and its own."""

    layer: Layer
    source: Source


_ANY = "*"
OPEN: tuple[Path, ...] = (
    ("policy",),
    ("lamp_patterns",),
    ("night",),
    ("conditions",),
    ("road_events",),
    ("voice",),
    ("detector",),
    # Pictures as the camera sees them show people: only who stands at the pole and has put up the notice turns that on.
    *(("recording", name) for name in Recording.model_fields if name != "images"),
    # The county decides of limits; roads, conflicts and sensors are what they are at the pole.
    *(("approaches", _ANY, name) for name in ("limit_kmh", "lead_min_s", "bearing_deg", "truck_right_turn")),
    # Where the node calls and by which key is what it was enrolled with: a wrong address loses it for good, and
    # ``password_file`` would send any file of the node to any address.
    ("bridge", "health_every_s"),
    ("bridge", "backlog_per_s"),
)
"""What a patch may touch; everything else, a section that a later version brings too, is the site layer's."""

NEEDS_SITE = ("approaches", "bridge")
"""Sections in which a patch changes what is there and can begin nothing."""

MAX_VALUES = 16_384
"""Values of one file: four cameras with every polygon and calibration that the schema takes have about 10,000."""


@dataclasses.dataclass(frozen=True, slots=True)
class Merged:
    """A configuration and what it was made of."""

    parts: tuple[Part, ...]
    values: Mapping[str, Any]

    def origin(self, path: Sequence[str | int]) -> Part | None:
        """The last part that has a word on a path; None where the program's own default stands."""
        return next((part for part in reversed(self.parts) if _speaks(part.source.values, path)), None)

    def provenance(self) -> dict[Path, Layer]:
        """The layer of every value of the result; a list is one value."""
        found = {}
        for path in leaves(self.values):
            part = self.origin(path)
            assert part is not None, f"{dotted(path)} came from nowhere"
            found[path] = part.layer
        return found


def merge(target: Any, patch: Any) -> Any:
    """``target`` changed by ``patch`` as RFC 7396 has it; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def compose(first: Source, second: Source) -> dict[str, Any]:
    """One patch that does what two do one after the other. Raises ConfigError where no merge patch can: ``first``
    replaces or removes something of which ``second`` changes a part."""
    problems: list[Problem] = []

    def both_of(one: Patch, other: Patch, path: Path) -> dict[str, Any]:
        result = dict(one)
        for key, value in other.items():
            here = (*path, key)
            if not isinstance(value, Mapping) or key not in one:
                result[key] = value
            elif isinstance(one[key], Mapping):
                result[key] = both_of(one[key], value, here)
            else:
                params = {"other": first.file, "other_line": first.line(here)}
                place: dict[str, Any] = {"file": second.file, "line": second.line(here), "path": dotted(here)}
                problems.append(Problem("cannot_compose", params=params, layer=Layer.GROUP, **place))
        return result

    composed = both_of(first.values, second.values, ())
    if problems:
        raise ConfigError(problems)
    return composed


def merged(parts: Sequence[Part]) -> Merged:
    """The parts merged in their order, the first being the site's. Raises ConfigError with every patch that is too
    big, too deep or touches what is not its own; the result is not checked."""
    site, *patches = parts
    if site.layer is not Layer.SITE or any(part.layer is Layer.SITE for part in patches):
        raise ValueError("the site layer comes first and once")
    problems = [problem for part in parts if (problem := _out_of_bounds(part)) is not None]
    if not problems:  # what is too deep is not walked
        problems = [problem for part in patches for problem in refusals(part, site.source.values)]
    if problems:
        raise ConfigError(problems)
    values: Any = site.source.values  # a null of the site file is a value like any other, and no patch
    for part in patches:
        values = merge(values, part.source.values)
    return Merged(tuple(parts), values)


def checked(parts: Sequence[Part], check: Check) -> tuple[Merged, SiteConfig, list[Problem]]:
    """The parts merged and checked: (the merge, the configuration, warnings). Raises ConfigError; every problem has the
    layer, file and line of the part that brought it, the first with which it is there to stay."""
    result = merged(parts)
    problems, config, warnings = _asked(result.values, check)
    if config is not None:
        return result, config, [_placed(warning, result.origin(warning.path.split("."))) for warning in warnings]
    blamed = {_key(problem): parts[-1] for problem in problems}
    still = set(blamed)
    for count in range(len(parts) - 1, 0, -1):
        before, _config, _warnings = _asked(merged(parts[:count]).values, check)
        still &= {_key(problem) for problem in before}
        blamed |= dict.fromkeys(still, parts[count - 1])
    raise ConfigError([_placed(problem, blamed[_key(problem)]) for problem in problems])


def refusals(part: Part, site: Mapping[str, Any]) -> list[Problem]:
    """What a patch touches and may not. ``site``: the values of the site layer under it."""
    found = []
    for path, value in _words(part.source.values):
        if not any(_matches(pattern, path) for pattern in OPEN):
            mine = [dotted(pattern) for pattern in OPEN if pattern[0] == path[0]]
            allowed = both(", ".join(mine or sorted({pattern[0] for pattern in OPEN})))
            problem = Problem("site_only", path=dotted(path), value=value, allowed=allowed)
        elif (missing := _not_there(path, site)) is not None:
            there = _at(site, missing[:-1])
            known = both(", ".join(there)) if missing[:-1] and isinstance(there, Mapping) else None
            params = {"missing": dotted(missing)}
            problem = Problem("not_at_site", path=dotted(path), value=value, allowed=known, params=params)
        else:
            continue
        found.append(_placed(problem, part))
    return found


def _not_there(path: Path, site: Mapping[str, Any]) -> Path | None:
    """The first section above a patched value that has to be the site's and is not."""
    above = [path[:length] for length in range(1, len(path))] if path[0] in NEEDS_SITE else []
    # Below what the site has a patch may begin a section: a right-turn lane, say.
    pattern = next(pattern for pattern in OPEN if _matches(pattern, path))
    return next((short for short in above[: len(pattern) - 1] if not isinstance(_at(site, short), Mapping)), None)


def leaves(values: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """The path of every value that is not a map."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def _words(values: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What a patch says: its values and its empty maps (those make a section where none is)."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _words(value, (*path, key))
        else:
            yield (*path, key), value


def _matches(pattern: Path, path: Path) -> bool:
    return len(pattern) <= len(path) and all(
        word in (_ANY, part) for word, part in zip(pattern, path[: len(pattern)], strict=True)
    )


def _at(values: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return None
        values = values[part]
    return values


def _speaks(values: Any, path: Sequence[str | int]) -> bool:
    """Whether a patch has a word on a path: on it, on something below, or by a value above."""
    for part in path:
        if not isinstance(values, Mapping):
            return True
        if part not in values:
            return False
        values = values[part]
    return True


def _asked(values: Mapping[str, Any], check: Check) -> tuple[list[Problem], SiteConfig | None, list[Problem]]:
    """(problems, configuration, warnings) of merged values."""
    try:
        config, warnings = check(Source("", values, {}))
    except ConfigError as error:
        return error.problems, None, []
    return [], config, warnings


def _key(problem: Problem) -> str:
    return repr((problem.code, problem.path, problem.value))


def _placed(problem: Problem, part: Part | None) -> Problem:
    """A problem with the layer, file and line of a part."""
    if part is None:
        return problem
    path = tuple(int(word) if word.isdecimal() else word for word in problem.path.split("."))
    return dataclasses.replace(problem, layer=part.layer.value, file=part.source.file, line=part.source.line(path))


def _out_of_bounds(part: Part) -> Problem | None:
    """The problem of a part that is nested too deep or has too many values; walks without recursion."""
    waiting: list[tuple[Any, int]] = [(part.source.values, 1)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        count += len(inside)
        if inside and depth > yaml_text.MAX_DEPTH:
            return _placed(Problem("too_deep", allowed=both(f"≤ {yaml_text.MAX_DEPTH}")), part)
        if count > MAX_VALUES:
            return _placed(Problem("too_big", allowed=both(f"≤ {MAX_VALUES}")), part)
        waiting += [(item, depth + 1) for item in inside]
    return None
