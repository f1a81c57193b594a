"""Provision is killed before each change of a file, with or without the power: afterwards the node runs the old
configuration or the new one, and when provision is started again it comes to its end."""

import pathlib

import pytest

from device.provisioning.wave import everyone
from tests.support.killed import killed_before
from tests.support.office import Office
from tests.support.pole import ILL_HOLD_S, Pole

pytestmark = [pytest.mark.timeout(600), pytest.mark.killed]

OLD_HOLD_S, NEW_HOLD_S = 4.0, 5.0


@pytest.mark.parametrize("hold_s", [NEW_HOLD_S, ILL_HOLD_S], ids=["confirm", "revert"])
def test_killed_anywhere_a_node_ends_with_the_old_or_the_new(tmp_path: pathlib.Path, hold_s: float) -> None:
    """Every other death is a power cut: boot runs before anything else."""
    office = Office(tmp_path / "keys")
    pole = Pole(tmp_path / "pole", office)
    pole.takes(office.says("north", OLD_HOLD_S))
    pole.receives(office.says("north", hold_s, wave=everyone(trial_s=0)))
    kept = pole.keep()
    deaths = 0
    while True:
        pole.again(kept)
        if not killed_before(deaths, pole.run, within=pole.folder):
            break
        deaths += 1
        assert pole.core.hold_s in (OLD_HOLD_S, hold_s)
        if deaths % 2:
            pole.start()
            assert pole.core.hold_s in (OLD_HOLD_S, hold_s)
        pole.run()
        assert pole.core.hold_s == (NEW_HOLD_S if hold_s == NEW_HOLD_S else OLD_HOLD_S), deaths
        assert pole.good is not None and pole.good.group == f"policy: {{hold_s: {pole.core.hold_s}}}\n", deaths
        assert pole.place.slots.state().trial is None and not list(pole.place.inbox.iterdir())
    assert deaths > 20
