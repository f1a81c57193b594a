"""Puts the county's files where a configuration uses them. Pure but for the drivers' tables: nothing is read.

``detector.manifest: county/NAME.json`` is ``models/NAME.json`` of the group's files, with what lies beside it there;
the clips among them are spoken in place of the bundled ones by every speaker whose driver plays files. Both become
paths of the set's own folder in what is compiled: another clip is then another configuration, which core has to take,
start with and be well with, before the trial is over.

Invariant: the office and the node ask the same question (``check_with``), so that what is signed can be fitted.
"""

import dataclasses
import pathlib
from collections.abc import Mapping

from configs.errors import ConfigError, Problem, both
from configs.layers import Check
from configs.loader import Source
from configs.schema import SiteConfig, Speaker
from device.provisioning.files import CLIPS, MODELS, Named

COUNTY = "county/"
"""How a manifest begins that is one of the county's files."""

OPTION = "county_clips_dir"
"""Of a speaker's driver that looks there before it looks for its own clips."""


def check_with(check: Check, files: Mapping[str, Named]) -> Check:
    """``check``, and whether the files that a configuration asks the county for are among ``files``."""

    def checked(source: Source) -> tuple[SiteConfig, list[Problem]]:
        config, warnings = check(source)
        manifest = config.detector.manifest or ""
        if manifest.startswith(COUNTY) and model_name(manifest) not in files:
            path = ("detector", "manifest")
            known = [COUNTY + name.removeprefix(MODELS) for name in sorted(files) if name.startswith(MODELS)]
            place = {"file": source.file, "line": source.line(path), "path": ".".join(path)}
            raise ConfigError([Problem("no_county_file", value=manifest, allowed=both(", ".join(known)), **place)])  # type: ignore[arg-type]
        return config, warnings

    return checked


def model_name(manifest: str) -> str:
    """The name among the county's files of ``county/…``."""
    return MODELS + manifest.removeprefix(COUNTY)


def fitted(config: SiteConfig, files: Mapping[str, Named], folder: pathlib.Path) -> SiteConfig:
    """The configuration, checked, with the files of the set in ``folder``."""
    changed: dict[str, object] = {}
    manifest = config.detector.manifest or ""
    if manifest.startswith(COUNTY):
        changed["detector"] = config.detector.model_copy(update={"manifest": str(folder / model_name(manifest))})
    if any(name.startswith(CLIPS) for name in files):
        clips = {OPTION: str(folder / CLIPS.rstrip("/"))}
        changed["speakers"] = {
            name: speaker.model_copy(update=clips) if _plays_files(speaker) else speaker
            for name, speaker in config.speakers.items()
        }
    return config.model_copy(update=changed) if changed else config


def _plays_files(speaker: Speaker) -> bool:
    from hal import registry

    options = registry.driver("speaker", speaker.driver).options
    return OPTION in {field.name for field in dataclasses.fields(options)}
