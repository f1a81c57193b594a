"""A real guard process: core killed, hung, replaced or talking nonsense ends in the safe pattern (FAULTS 33, 61-63)."""

import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from device import ipc
from device.guard import EXIT_CONFIG
from tests.support.guard_process import DEADLINE_S, GuardProcess, guard_config, open_fds, running_guard, wait_for

FORBIDDEN = ("cv2", "onnxruntime", "paho", "serial", "sqlite3", "pydantic", "click", "numpy", "yaml", "ruamel")


def lease(shows: str = "caution", **changed: object) -> dict[str, object]:
    lamps = {"l_branch": {"shows": shows, "caused_by_ns": 1}}
    return {"seq": 1, "lease_ms": 150, "brightness_pct": 100, "lamps": lamps} | changed


def states_until(peer: socket.socket, key: str, value: object) -> dict[str, Any]:
    """Reads state messages until one says so."""
    while True:
        state = ipc.receive(peer)
        assert state is not None
        if state[key] == value:
            return state


def test_guard_flashes_before_anybody_talks_to_it(tmp_path: pathlib.Path) -> None:
    with running_guard(tmp_path) as guard:
        wait_for(lambda: len(guard.tap()) >= 3, "two flashes")
        assert [(line.on, line.shows) for line in guard.tap()[:3]] == [
            (True, "fault"),
            (False, "fault"),
            (True, "fault"),
        ]
        assert {line.caused_by_ns for line in guard.tap()} == {None}


@pytest.mark.parametrize(("hurt", "reason"), [(signal.SIGKILL, "core has gone"), (signal.SIGSTOP, "lease ran out")])
def test_a_killed_or_hung_core_is_a_flashing_lamp(tmp_path: pathlib.Path, hurt: signal.Signals, reason: str) -> None:
    with running_guard(tmp_path, safe_hold_s=600) as guard:
        core = guard.core("caution")
        wait_for(lambda: guard.shows() == "caution", "core's warning")
        core.send_signal(hurt)
        wait_for(lambda: guard.shows() == "fault", "the safe pattern")
        before = len(guard.tap())
        wait_for(lambda: len(guard.tap()) >= before + 2, "the safe pattern to flash")
        assert {line.shows for line in guard.tap()[before:]} == {"fault"}
        assert reason in guard.log()


def test_dark_is_earned_at_boot_and_again_after_core_was_killed(tmp_path: pathlib.Path) -> None:
    with running_guard(tmp_path) as guard:
        core = guard.core("clear")
        wait_for(lambda: guard.shows() == "clear", "clear to be earned")
        core.kill()
        wait_for(lambda: guard.shows() == "fault", "the safe pattern")
        lit_at_ns = guard.tap()[-1].mono_ns
        guard.core("clear")
        wait_for(lambda: guard.shows() == "clear", "clear to be earned again")
        dark_again_ns = next(line.mono_ns for line in guard.tap() if line.mono_ns > lit_at_ns and line.shows == "clear")
        assert dark_again_ns - lit_at_ns >= 0.3e9


def test_a_lamp_that_core_leaves_out_takes_both_to_the_safe_pattern(tmp_path: pathlib.Path) -> None:
    lamps = {
        name: {"driver": "gpio", "options": {"pin": pin, "pin_factory": "mock", "tap": str(tmp_path / "tap")}}
        for name, pin in (("l_branch", 17), ("l_main", 18))
    }
    with running_guard(tmp_path, lamps=lamps) as guard:
        both = {name: {"shows": "caution", "caused_by_ns": None} for name in lamps}
        with guard.connect() as peer:
            ipc.send(peer, lease(lamps=both))
            wait_for(lambda: guard.shows() == "caution", "core's warning")
            ipc.send(peer, lease(lamps={"l_branch": both["l_branch"]}))
            state = states_until(peer, "safe", "lease left out l_main")
            assert {shown["shows"] for shown in state["lamps"].values()} == {"fault"}


def test_nonsense_on_the_socket_extends_nothing_and_guard_goes_on(tmp_path: pathlib.Path) -> None:
    nonsense = [
        b"\x00\xff" * 50,
        b"[1, 2]",
        b"{",
        b"null",
        b"[" * 50_000,
        b"x" * (ipc.MAX_PACKET_BYTES - 1),
        json.dumps({"kind": "open_the_door"}).encode(),
        json.dumps(lease(lease_ms=1e30)).encode(),
        json.dumps(lease(lamps={"l_branch": {"shows": "dark"}})).encode(),
    ]
    with running_guard(tmp_path) as guard, guard.connect() as peer:
        for packet in nonsense:
            peer.send(packet)
        state = states_until(peer, "ignored", len(nonsense))
        assert state["safe"] == "boot"
        assert {line.shows for line in guard.tap()} == {"fault"}
        ipc.send(peer, lease("caution"))
        wait_for(lambda: any(line.shows == "caution" for line in guard.tap()), "a good lease to be taken")


def test_a_new_core_replaces_the_old_one(tmp_path: pathlib.Path) -> None:
    with running_guard(tmp_path) as guard, guard.connect() as old:
        ipc.send(old, lease("caution"))
        wait_for(lambda: any(line.shows == "caution" for line in guard.tap()), "the old core's warning")
        with guard.connect() as new:
            with pytest.raises((EOFError, ConnectionError)):
                while True:
                    ipc.receive(old)
            ipc.send(new, lease("alert"))
            wait_for(lambda: any(line.shows == "alert" for line in guard.tap()), "the new core's warning")


def test_a_core_that_reads_nothing_does_not_hold_guard(tmp_path: pathlib.Path) -> None:
    with running_guard(tmp_path, safe_hold_s=0, clear_after_s=0) as guard, guard.connect() as deaf:
        # Each change is a state message; the deaf peer's buffer fills and guard must drop, not wait.
        pause = threading.Event()
        for index in range(600):
            ipc.send(deaf, lease(("clear", "caution")[index % 2], seq=index))
            pause.wait(0.001)
        deaf.send(json.dumps(lease("alert")).encode())
        wait_for(lambda: any(line.shows == "alert" for line in guard.tap()), "guard to go on")


def test_a_hundred_connections_that_come_and_go_leak_nothing(tmp_path: pathlib.Path) -> None:
    with running_guard(tmp_path) as guard:
        with guard.connect() as peer:
            ipc.receive(peer)
            before = open_fds(guard.process.pid)
        for _ in range(100):
            guard.connect().close()
        with guard.connect() as peer:
            ipc.receive(peer)
            wait_for(lambda: open_fds(guard.process.pid) <= before, "old connections to be closed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_guard_exits_0(tmp_path: pathlib.Path, number: signal.Signals) -> None:
    with running_guard(tmp_path) as guard:
        guard.wait_ready()
        guard.process.send_signal(number)
        assert guard.process.wait(DEADLINE_S) == 0
        assert "Traceback" not in guard.log()


def test_core_may_ask_for_a_restart(tmp_path: pathlib.Path) -> None:
    with running_guard(tmp_path) as guard, guard.connect() as peer:
        ipc.send(peer, {"kind": "restart"})
        assert guard.process.wait(DEADLINE_S) == ipc.EXIT_RESTART


def test_a_lamp_that_will_not_open_is_told_to_core_and_the_others_go_on(tmp_path: pathlib.Path) -> None:
    lamps = guard_config(tmp_path)["lamps"] | {"l_main": {"driver": "sim", "options": {"failure": "will_not_open"}}}
    with running_guard(tmp_path, lamps=lamps) as guard, guard.connect() as peer:
        state = ipc.receive(peer)
        assert state is not None
        assert "will not open" in state["lamps"]["l_main"]["problem"]
        assert state["lamps"]["l_branch"]["problem"] is None
        wait_for(lambda: len(guard.tap()) >= 2, "the other lamp to flash")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lease_cap_ms": "fast"}, "lease_cap_ms"),
        ({"patterns": {}}, "caution"),
        ({"patterns": {name: {"period_s": 0, "lit_pct": 50} for name in ("caution", "alert", "fault")}}, "period_s"),
        ({"lamps": {"l_branch": {"pin": 17}}}, "l_branch"),
        ({"safe_hold_s": float("nan")}, "safe_hold_s"),
    ],
)
def test_a_config_guard_cannot_use_ends_it_with_a_reason(
    tmp_path: pathlib.Path, changed: dict[str, object], said: str
) -> None:
    with running_guard(tmp_path, **changed) as guard:
        assert guard.process.wait(DEADLINE_S) == EXIT_CONFIG
        assert said in guard.log()


def test_a_missing_or_torn_config_ends_it_with_a_reason(tmp_path: pathlib.Path) -> None:
    for text in (None, '{"lamps": {'):
        if text is not None:
            (tmp_path / ipc.GUARD_CONFIG).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "device.guard", "--run-dir", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert done.returncode == EXIT_CONFIG
        assert ipc.GUARD_CONFIG in done.stderr


def test_a_stderr_nobody_reads_does_not_hold_the_lamps(tmp_path: pathlib.Path) -> None:
    unread, stderr = os.pipe()
    fcntl.fcntl(stderr, fcntl.F_SETPIPE_SZ, 4096)
    guard = GuardProcess(tmp_path, guard_config(tmp_path, safe_hold_s=0, clear_after_s=0), stderr=stderr)
    try:
        with guard.connect() as peer:
            for _ in range(100):
                # Earned and left out in turn: a line on stderr each, 9 kB in all into a pipe of 4.
                ipc.send(peer, lease("caution"))
                states_until(peer, "safe", None)
                ipc.send(peer, lease(lamps={}))
                states_until(peer, "safe", "lease left out l_branch")
            ipc.send(peer, lease("alert"))
            wait_for(lambda: any(line.shows == "alert" for line in guard.tap()), "guard to go on")
    finally:
        guard.stop()
        os.close(stderr)
        os.close(unread)


def test_a_socket_that_cannot_be_made_ends_guard_with_a_reason(tmp_path: pathlib.Path) -> None:
    (tmp_path / ipc.GUARD_SOCKET).mkdir()
    with running_guard(tmp_path) as guard:
        assert guard.process.wait(DEADLINE_S) == 1
        assert ipc.GUARD_SOCKET in guard.log()
        assert "Traceback" not in guard.log()


def test_guard_outranks_the_rest_of_the_machine_where_it_may_and_says_where_it_may_not(tmp_path: pathlib.Path) -> None:
    with running_guard(tmp_path, realtime=True) as guard, guard.connect() as peer:
        assert ipc.receive(peer) is not None
        first = os.sched_getscheduler(guard.process.pid) == os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        assert first != ("realtime" in guard.log())


def test_guard_imports_nothing_heavy() -> None:
    script = (
        "import sys, device.guard, hal.lamp.gpio, hal.lamp.heartbeat, hal.lamp.sim, hal.lamp.replay; "
        f"print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
