"""The office's program is killed while it drives a rollout, before each change of its files: another one goes on from
what lies on the disk, and the county ends as if nothing had been."""

import pathlib
import shutil

import pytest

from tests.support.killed import killed_before
from tests.support.played_county import PlayedCounty
from tests.support.pole import ILL_HOLD_S
from tools.county.rollout.state import Phase

pytestmark = [pytest.mark.timeout(600), pytest.mark.killed]


@pytest.mark.parametrize(
    ("hold_s", "phase"), [(5.0, Phase.DONE), (ILL_HOLD_S, Phase.WENT_BACK)], ids=["done", "went back"]
)
def test_killed_anywhere_the_office_goes_on_and_the_county_ends_the_same(
    tmp_path: pathlib.Path, hold_s: float, phase: Phase
) -> None:
    county = PlayedCounty(tmp_path, nodes=("n0001", "n0002"))
    county.starts("100%", ())
    county.until_over(county.drives())
    county.wants({"groups/north.yaml": f"policy: {{hold_s: {hold_s}}}\n"})
    county.starts("1nodes,100%", ("n0001",), soak_s=10.0)
    kept = {node: pole.keep() for node, pole in county.poles.items()}
    desk = tmp_path / "desk_kept"
    shutil.copytree(county.desk, desk)
    deaths = 0
    while True:
        shutil.rmtree(county.desk)
        shutil.copytree(desk, county.desk)
        for node, pole in county.poles.items():
            pole.again(kept[node])
        county.broker.forget()
        if not killed_before(deaths, lambda: county.until_over(county.drives()), within=county.desk):
            break
        deaths += 1
        found = county.until_over(county.drives())
        assert found.phase is phase, deaths
        wanted = hold_s if phase is Phase.DONE else 4
        assert county.holds() == {"n0001": wanted, "n0002": wanted}, deaths
    assert deaths > 10
