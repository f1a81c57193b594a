"""The county office's side: ``sentinel-county``. ``main`` settles the language before Click is imported."""

import sys

from device.cli.language import set_language, wanted_language

NODE_OPTIONS = ("--config", "--run-dir", "--state-dir")
"""Global options of ``sentinel`` that mean nothing where no node is."""


def main() -> None:
    """Entry point of ``sentinel-county``."""
    set_language(wanted_language(sys.argv[1:]))
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", lambda **_: None)(encoding="utf-8", errors="backslashreplace")
    from tools.county.app import cli

    cli(prog_name="sentinel-county")
