"""``python -m device.cli``: the command line from a source tree that is not installed."""

from device.cli import main

main()
