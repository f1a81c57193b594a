"""Takes what the replay says now as right: ``python -m tests.replay.accept [NAME …]``, all unless named.

It prints what changes, in the road's words, before it writes; read it. ``--record`` also makes the recordings anew.
"""

import argparse
import pathlib

from configs.loader import Source, validate
from device.recorded import read
from device.replay import play
from tests.replay.scenes import FOLDER, GOLDEN, record
from tests.replay.timeline import differences


def played(path: pathlib.Path) -> list[str]:
    """The lines of a recording, played with the site file inside it."""
    recorded = read(path)
    assert recorded.cut_off is None, recorded.cut_off
    config = validate(Source(str(path), recorded.site_values() or {}, {}))
    lines: list[str] = []
    play(recorded, config, lambda line: lines.append(line.rstrip("\n")))
    return lines


def expected(path: pathlib.Path) -> list[str]:
    """The accepted lines of a recording."""
    accepted = path.with_suffix(".jsonl")
    return accepted.read_text(encoding="utf-8").splitlines() if accepted.exists() else []


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay.accept", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *GOLDEN], metavar="NAME", help=", ".join(GOLDEN))
    parser.add_argument("--record", action="store_true", help="make the recordings anew from tests/replay/scenes.py")
    args = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for name in args.names or GOLDEN:
        path = FOLDER / f"{name}.mcap"
        if args.record:
            path.unlink(missing_ok=True)
            record(name, path)
        lines = played(path)
        for difference in differences(expected(path), lines):
            print(f"{name}: {difference}")  # noqa: T201 - a command's own answer
        path.with_suffix(".jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
