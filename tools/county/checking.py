"""Every node's configuration as it would be after signing, checked by the node's own schema and drivers. Pure but for
the drivers' tables.

Invariants: every node of the register is asked about, none is left out because another is like it; what equal nodes
share is the costly half alone (drivers, calibration), by the values it depends on; equal problems of many nodes are one
with their names.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from configs import layers, loader
from configs.errors import ConfigError, Problem
from configs.layers import Merged
from configs.loader import Source
from configs.schema import SiteConfig
from device.provisioning.fitting import check_with
from device.site import check_source
from tools.county.folder import Folder


class SharedCheck:
    """``device.site.check_source``, which asks drivers once for equal values."""

    def __init__(self) -> None:
        self._warnings: dict[str, list[Problem]] = {}

    def __call__(self, source: Source) -> tuple[SiteConfig, list[Problem]]:
        """Raises ConfigError."""
        site = source.values.get("site")
        own = (
            {key: value for key, value in site.items() if key not in ("id", "name")} if isinstance(site, dict) else site
        )
        key = json.dumps({**source.values, "site": own}, sort_keys=True)
        if key in self._warnings:
            return loader.validate(source), self._warnings[key]
        config, self._warnings[key] = check_source(source)
        return config, self._warnings[key]


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """A problem or a warning and the nodes that have it; no nodes: it is of the folder itself."""

    problem: Problem
    nodes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """What became of a folder."""

    folder: Folder
    merged: Mapping[str, Merged]
    configs: Mapping[str, SiteConfig]
    """The nodes that are right."""
    problems: list[Told]
    warnings: list[Told]

    @property
    def is_right(self) -> bool:
        """Whether all of it may be signed."""
        return not self.problems


def check(folder: Folder, wrong: Iterable[Problem] = (), shared: SharedCheck | None = None) -> Checked:
    """Checks every node. ``wrong``: what reading the folder found."""
    shared = shared or SharedCheck()
    problems: list[tuple[Problem, str]] = [(problem, "") for problem in wrong]
    warnings: list[tuple[Problem, str]] = []
    for source in folder.groups.values():
        try:
            layers.compose(folder.fleet, source)
        except ConfigError as error:
            problems += [(problem, "") for problem in error.problems]
    merged, configs = {}, {}
    for node in folder.whole():
        files = folder.files.get(folder.group_of[node], {})
        try:
            merged[node], configs[node], told = layers.checked(folder.parts(node), check_with(shared, files))
        except ConfigError as error:
            problems += [(problem, node) for problem in error.problems]
        else:
            warnings += [(warning, node) for warning in told]
    return Checked(folder, merged, configs, _gathered(problems), _gathered(warnings))


def _gathered(found: Iterable[tuple[Problem, str]]) -> list[Told]:
    """Equal problems as one, in the order in which they were met."""
    nodes: dict[str, list[str]] = {}
    first: dict[str, Problem] = {}
    for problem, node in found:
        key = json.dumps(problem.as_json("en"), sort_keys=True, default=str)
        first.setdefault(key, problem)
        nodes.setdefault(key, [])
        if node:
            nodes[key].append(node)
    return [Told(problem, tuple(nodes[key])) for key, problem in first.items()]


def targets(folder: Folder) -> dict[str, bytes]:
    """What is signed for the nodes: name of the target -> its bytes. The fleet's patch and the group's are one there.
    Raises ConfigError where they cannot be."""
    found = {}
    for group, source in folder.groups.items():
        found[f"{group}/group.yaml"] = target_text(layers.compose(folder.fleet, source))
    for group, files in folder.files.items():
        listed = {name: named.model_dump(mode="json") for name, named in files.items()}
        found[f"{group}/files.json"] = target_text(listed)
    for node, source in folder.nodes.items():
        found[f"{folder.group_of[node]}/nodes/{node}.yaml"] = target_text(source.values)
    return found


def target_text(values: Mapping[str, Any]) -> bytes:
    """A patch as the node reads it: JSON is YAML, and the same values are the same bytes."""
    return (json.dumps(values, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()
