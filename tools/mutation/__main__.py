"""``python -m tools.mutation``: mutates what decides, runs its tests on each mutant and judges what survived.

Prints the figures as JSON lines and writes ``docs/mutants.md``. Exit 0 when few enough survived and each of them is
justified in ``justified.toml``; 1 when not, with an entry to fill in for each new one; 2 when mutmut did not finish.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Sequence

from tools.bench import marked
from tools.bench.figures import as_json
from tools.mutation import page, results
from tools.mutation.results import Fate

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "mutants"
"""Where mutmut works, always of this name: a copy of the sources with every mutant in it."""

JUSTIFIED = pathlib.Path(__file__).with_name("justified.toml")
PAGE = ROOT / "docs" / "mutants.md"


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("--again", action="store_true", help="judge the last run again, without mutating")
    parser.add_argument("--jobs", type=int, default=1, help="mutants tried at once")
    parser.add_argument("--survivors", action="store_true", help="try the survivors of the last run again")
    given = parser.parse_args()
    try:
        names = (
            [mutant.name for mutant in results.read(WORK) if mutant.fate is Fate.SURVIVED] if given.survivors else []
        )
        if not given.again and not _mutate(given.jobs, names):
            return 2
        mutants = results.read(WORK)
    except results.UnfinishedError as error:
        print(error, file=sys.stderr)
        return 2
    why = page.reasons(JUSTIFIED.read_text(encoding="utf-8"))
    survived = dict(page.survivors(mutants))
    for change in [change for change in why if change not in survived]:
        print(f"# no longer survives: {change.module} {change.function}: {change.was} -> {change.now}", file=sys.stderr)
    new = [change for change in survived if change not in why]
    for change in new:
        print(page.entry(change), file=sys.stderr)
    figures = page.lines(mutants, len(new))
    for line in figures:
        print(as_json(line))
    PAGE.write_text(marked.put(PAGE.read_text(encoding="utf-8"), "mutants", page.body(mutants, why)), encoding="utf-8")
    return 1 if any(line["ok"] is False for line in figures) else 0


def _mutate(jobs: int, names: Sequence[str]) -> bool:
    """Runs mutmut on these mutants, or on all of them from scratch: what it remembers of an earlier run says nothing of
    tests that changed since."""
    if not names:
        shutil.rmtree(WORK, ignore_errors=True)
    mutmut = pathlib.Path(sys.executable).with_name("mutmut")
    try:
        command = [str(mutmut), "run", "--max-children", str(jobs), *names]
        return subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode == 0
    except FileNotFoundError:
        print(f"{mutmut}: not installed; run `make mutants`", file=sys.stderr)
        return False


if __name__ == "__main__":
    sys.exit(main())
