"""The golden recordings play to the accepted lines; a difference is told in the road's words."""

import pytest

from tests.replay.accept import expected, played
from tests.replay.scenes import FOLDER, GOLDEN
from tests.replay.timeline import differences

REPOSITORY_BYTES = 1_000_000


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    path = FOLDER / f"{name}.mcap"
    found = differences(expected(path), played(path))
    if found:
        lines = "\n  ".join(found)
        pytest.fail(f"{name}\n  {lines}\nIf this is right: python -m tests.replay.accept {name}", pytrace=False)


def test_every_recording_is_named_and_all_of_them_are_small() -> None:
    assert {path.stem for path in FOLDER.glob("*.mcap")} == set(GOLDEN) == {p.stem for p in FOLDER.glob("*.jsonl")}
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < 100_000
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < REPOSITORY_BYTES
