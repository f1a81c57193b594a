"""Puts a trained candidate's row into the table of ``models/README.md``.

    python -m tools.build.candidates DIR [--figures FILE] [--verdict TEXT]

``DIR`` is the ``--out`` of ``python -m models.training``, ``FILE`` what the evaluation printed for its model. The row
takes the place of the candidate's old one; the others stay, also of those that lost.
"""

import argparse
import pathlib

from configs.files import write_atomically
from models.training import report
from tools.bench import marked

PAGE = pathlib.Path(__file__).resolve().parents[2] / "models" / "README.md"

SECTION = "candidates"


def renewed(page: str, row: str) -> str:
    """The page with this row in its table of candidates; the table is added where there is none."""
    return marked.put(page, SECTION, report.with_row(marked.taken(page, SECTION) or "", row))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--figures", type=pathlib.Path, help="JSON lines of the evaluation")
    parser.add_argument("--verdict", default="", help="last cell: kept or not, and why")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE)
    args = parser.parse_args()
    measured = report.figures(args.figures.read_text(encoding="utf-8")) if args.figures is not None else {}
    row = report.row(report.read(args.folder), measured, args.verdict)
    page = args.page.read_text(encoding="utf-8") if args.page.exists() else ""
    write_atomically(args.page, renewed(page, row).encode(), mode=0o644)


if __name__ == "__main__":
    main()
