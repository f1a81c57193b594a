"""Where a verb finds the node's layers; apart from ``common``, whose other verbs need no schema to start."""

import pathlib

from device.cli.common import Settings
from device.provisioning.place import Place
from hal.clock import SYSTEM_CLOCK


def place_of(settings: Settings, site_path: pathlib.Path | None = None) -> Place:
    """The node's places. ``site_path``: the file it runs, where that is another than the settings'."""
    site = site_path or settings.config_path
    return Place(site.absolute(), settings.run_dir.absolute(), settings.state_dir.absolute(), SYSTEM_CLOCK)
