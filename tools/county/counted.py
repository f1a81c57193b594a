"""Figures that are tests: how many cases of a kind there are, and how many did not end as they must.

The cases are marked where they stand (``pytest.mark.attack`` and its like, pyproject.toml), run by pytest in a process
of its own and counted from its report. A case that was skipped proved nothing and counts as failed.
"""

import pathlib
import subprocess
import sys
import tempfile
from typing import Final
from xml.etree import ElementTree

from tools.bench.figures import Figure, Reading

ROOT: Final = pathlib.Path(__file__).resolve().parents[2]

FIGURES = (
    Figure("ota_attack_cases", "cases", None, 1, "攻击用例(一例一种)", "cases of the attack matrix"),
    Figure(
        "ota_attack_not_refused",
        "cases",
        0,
        40,
        "没有按各自的原因拒绝,或没有保住上一份的",
        "not refused, each by its own reason, the last good kept",
    ),
    Figure("ota_tls_negative_cases", "cases", None, 1, "TLS 反例", "TLS negatives"),
    Figure("ota_tls_connections", "connections", 0, 8, "反例里连上的", "of them, connections that came about"),
    Figure(
        "ota_killed_torn",
        "sequences",
        0,
        4,
        "节点、签名库、推送:在每次改文件之前杀掉,没有回到旧的或新的",
        "node, repository, rollout killed before each change of a file: neither the old nor the new",
    ),
)

_KINDS = {
    "attack": ("ota_attack_cases", "ota_attack_not_refused"),
    "tls_negative": ("ota_tls_negative_cases", "ota_tls_connections"),
    "killed": (None, "ota_killed_torn"),
}


def measure() -> dict[str, Reading]:
    """Every figure by name. Raises RuntimeError where pytest could not run."""
    found: dict[str, Reading] = {}
    for marker, (cases_name, failed_name) in _KINDS.items():
        cases, failed = counted(marker)
        found[failed_name] = Reading(failed, cases)
        if cases_name is not None:
            found[cases_name] = Reading(cases, cases)
    return found


def counted(marker: str, tests: pathlib.Path = ROOT / "tests") -> tuple[int, int]:
    """(cases with this mark, those that failed or were skipped). Raises RuntimeError."""
    with tempfile.TemporaryDirectory(prefix="sentinel-counted-") as name:
        report = pathlib.Path(name) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", marker, f"--junitxml={report}", str(tests)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if not report.exists():
            raise RuntimeError(f"pytest -m {marker}: {done.stdout[-500:]}{done.stderr[-500:]}")
        # A module that is skipped as a whole, for a program it needs, has no class; none of ours is among them.
        cases = [case for case in ElementTree.parse(report).iter("testcase") if case.get("classname")]
    failed = [case for case in cases if any(case.find(end) is not None for end in ("failure", "error", "skipped"))]
    return len(cases), len(failed)
