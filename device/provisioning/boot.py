"""Chooses what a node runs, before core starts: the slot on trial, else the good one, else the site file alone.

Invariants: every start is counted before anything is chosen, and where it cannot be counted nothing on trial runs; what
is passed over is told with its reason; nothing runs that was not checked in this very start.

Both bad, that is neither the county's configuration nor the site file passes: what is wired to which pin is then known
only from the last time it was right. Guard gets the ``guard.json`` of that day, the lamps flash by it, and core runs
without deciding anything: it opens no sensor, asks for the fault pattern on every lamp and tells status and county why.
Wrong pins then drive nothing that matters, and a flasher on the heartbeat has the lamp either way. A node that was
never right has no such file: nothing starts, and the external flasher flashes.
"""

import contextlib

from configs.errors import ConfigError
from configs.files import write_atomically
from device import chosen, ipc
from device.chosen import Chosen, Runs
from device.provisioning.place import COMPILED, Made, Place, reverted_in
from device.provisioning.slots import Slot, SlotsError, State

OK, NOTHING_RUNS = 0, 2

BOTH_BAD = "neither the county's configuration nor the site file can be used, the lamps flash"


def boot(place: Place) -> tuple[Chosen, int]:
    """Counts a start, chooses, compiles: (what was chosen, exit code). Raises OSError where nothing can be written."""
    place.run_dir.mkdir(parents=True, exist_ok=True)
    place.count_on()
    with place.locked():
        local, damaged = place.local()
        guard_before = _guard_config(place)
        problems: list[str] = []
        state = _counted(place, problems)
        for number in dict.fromkeys([state.running, state.good, None]):
            try:
                slot = None if number is None else place.slots.slot(number)
                made = place.make(slot, local, damaged)
            except (SlotsError, ConfigError) as error:
                state = _passed_over(place, state, number, _first(error), problems)
                continue
            said = _installed(place, state, made, slot, problems)
            break
        else:
            said = _safe(place, state, problems)
        if guard_before not in (None, _guard_config(place)):
            _restart_guard(place)
    runs = said.runs is not Runs.SAFE or _guard_config(place) is not None
    return said, OK if runs else NOTHING_RUNS


def _counted(place: Place, problems: list[str]) -> State:
    try:
        return place.slots.started()
    except SlotsError as error:
        problems.append(str(error))
        return State()
    except OSError as error:
        problems.append(f"a start cannot be counted, nothing on trial runs: {error}")
        with contextlib.suppress(SlotsError):
            return place.slots.state().model_copy(update={"trial": None})
        return State()


def _passed_over(place: Place, state: State, number: int | None, why: str, problems: list[str]) -> State:
    """The state after a slot, or the site file, was found unusable."""
    if number is None:
        problems.append(f"site file: {why}")
    elif state.trial is not None and number == state.trial.slot:
        try:
            return place.slots.revert(f"refused at start: {why}")
        except OSError as error:
            problems.append(f"the configuration on trial is refused: {why}; and that cannot be kept: {error}")
            return state.model_copy(update={"trial": None})
    else:
        problems.append(f"the county's configuration is left out: {why}")
    return state


def _installed(place: Place, state: State, made: Made, slot: Slot | None, problems: list[str]) -> Chosen:
    place.install(made)
    return place.tell(state, made, slot, "; ".join([*problems, *([made.problem] if made.problem else [])]) or None)


def _safe(place: Place, state: State, problems: list[str]) -> Chosen:
    """Puts the files of the last time it was right where guard and core look, guard's first."""
    said = Chosen(runs=Runs.SAFE, reverted=reverted_in(state), problem="; ".join([BOTH_BAD, *problems]))
    chosen.write(place.run_dir, said)  # before the files: core must not take them for a right configuration
    for name in (ipc.GUARD_CONFIG, ipc.SITE_CONFIG):
        with contextlib.suppress(OSError):
            write_atomically(place.run_dir / name, (place.state_dir / COMPILED / name).read_bytes())
    return said


def _guard_config(place: Place) -> bytes | None:
    try:
        return (place.run_dir / ipc.GUARD_CONFIG).read_bytes()
    except OSError:
        return None


def _restart_guard(place: Place) -> None:
    """A guard that runs takes its new file: core, who tells it otherwise, is not there yet."""
    with contextlib.suppress(OSError), ipc.connect(place.run_dir / ipc.GUARD_SOCKET) as peer:
        ipc.send(peer, {"kind": "restart"})


def _first(error: Exception) -> str:
    return error.problems[0].render("en") if isinstance(error, ConfigError) else str(error)
