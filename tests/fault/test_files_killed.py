"""Provision is killed before each change of a file while the county's files come in over a bad line: afterwards the
node runs the old configuration with its file or the new one with its own, and the next run ends with the new one."""

import pathlib

import pytest

from device.provisioning.enrolment import AWAITED
from device.provisioning.slots import Slot
from device.provisioning.store import PART
from device.provisioning.wave import everyone
from tests.support.county_files import CLIP, SPEAKER, clip, config, listed, tone
from tests.support.file_server import Does, serving
from tests.support.killed import killed_before
from tests.support.office import Office
from tests.support.pole import Pole

pytestmark = pytest.mark.timeout(600)


def test_killed_anywhere_a_node_has_all_of_a_configuration_or_all_of_the_other(tmp_path: pathlib.Path) -> None:
    """Every other death is a power cut: boot runs before anything else."""
    office = Office(tmp_path / "keys")
    pole = Pole(tmp_path / "pole", office)
    site = pole.place.site_path
    site.write_text(site.read_text(encoding="utf-8") + SPEAKER, encoding="utf-8")
    sounds = {4.0: tone(1000, tmp_path), 5.0: tone(2000, tmp_path)}
    with serving() as server:
        for hold_s, sound in sounds.items():
            packed = office.says("north", hold_s, files=listed(server, {CLIP: sound}), wave=everyone(trial_s=0))
            if hold_s == 4.0:
                pole.takes(packed)
        pole.receives(packed)
        kept = pole.keep()
        deaths = resumed = 0
        while True:
            pole.again(kept)
            server.then, server.asked = [Does(cut_at=700)], []
            if not killed_before(deaths, pole.run, within=pole.folder):
                break
            deaths += 1
            assert clip(pole) == sounds[config(pole).policy.hold_s]
            if deaths % 2:
                pole.start()
                assert clip(pole) == sounds[config(pole).policy.hold_s]
            pole.run()
            assert pole.core.hold_s == 5.0 and clip(pole) == sounds[5.0], deaths
            assert {path.read_bytes() for path in pole.place.store.files.iterdir()} == {sounds[5.0]}, deaths
            assert not (pole.place.county / AWAITED).exists() and not list(pole.place.inbox.iterdir())
            resumed += any(asked.begins for asked in server.asked)
    assert deaths > 25 and resumed > 10


def test_a_part_whose_end_the_power_cut_left_as_zeroes_costs_bytes_and_nothing_else(tmp_path: pathlib.Path) -> None:
    office = Office(tmp_path / "keys")
    pole = Pole(tmp_path / "pole", office)
    sound = tone(1000, tmp_path)
    with serving() as server:
        files = listed(server, {CLIP: sound})
        server.always = Does(status=503)
        pole.takes(office.says("north", 5, files=files, wave=everyone(trial_s=0)))
        waits = Slot.model_validate_json((pole.place.county / AWAITED).read_bytes())
        part = pole.place.store.files / f"{waits.files[CLIP].sha256}{PART}"
        part.write_bytes(sound[:500] + bytes(300))
        server.always = Does()
        pole.run()
    assert pole.core.hold_s == 5
    assert [path.read_bytes() for path in pole.place.store.files.iterdir()] == [sound]
