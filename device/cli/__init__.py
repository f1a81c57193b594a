"""The command line. ``main`` settles the language before Click is imported, because Click asks gettext as it loads."""

import sys

from device.cli.language import set_language, wanted_language


def main() -> None:
    """Entry point of ``sentinel``."""
    set_language(wanted_language(sys.argv[1:]))
    for stream in (sys.stdout, sys.stderr):
        # A bare locale (most poles) must not turn Chinese into an exception.
        getattr(stream, "reconfigure", lambda **_: None)(encoding="utf-8", errors="backslashreplace")
    from device.cli.app import cli

    cli(prog_name="sentinel")
