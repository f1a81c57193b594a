"""The bridge process: ``python -m cloud_bridge --config SITE --run-dir DIR --state-dir DIR``.

Exit codes: 0 stopped, 2 the site file cannot be used, 75 start again with the new configuration.
"""

import argparse
import logging
import pathlib
import signal
import sys

from cloud_bridge.app import Bridge
from configs.loader import load_site
from hal.clock import SYSTEM_CLOCK


def main(argv: list[str] | None = None) -> int:
    """Entry of the process."""
    parser = argparse.ArgumentParser(prog="python -m cloud_bridge", description=__doc__)
    parser.add_argument("--config", type=pathlib.Path, required=True, help="site file, .yaml or compiled .json")
    parser.add_argument("--run-dir", type=pathlib.Path, required=True, help="core.sock; bridge.json is written there")
    parser.add_argument("--state-dir", type=pathlib.Path, required=True, help="the journal and the outbox's cursor")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="level=%(levelname)s part=bridge %(message)s")
    try:
        bridge = Bridge(load_site(args.config), args.run_dir, args.state_dir, SYSTEM_CLOCK)
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201 - an entry point's own message
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bridge.stop())
    return bridge.run()


if __name__ == "__main__":
    sys.exit(main())
