"""``python -m tools.county``: the office's command line from a source tree that is not installed."""

from tools.county import main

main()
