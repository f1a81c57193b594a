"""Core asks for real-time priority below guard's, gives none to its children, and goes on where it is refused."""

import os
import subprocess
import threading

import pytest

from device import guard, realtime


def in_a_thread(run: "threading.Thread") -> None:
    run.start()
    run.join(10)


def test_core_stays_below_guard() -> None:
    assert 0 < realtime.CORE_PRIORITY < guard.FIFO_PRIORITY


def test_a_refusal_is_a_reason_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert "not permitted" in (realtime.ask(realtime.CORE_PRIORITY) or "")


def test_the_thread_gets_it_and_its_children_do_not() -> None:
    found: list[object] = []

    def work() -> None:
        found.append(realtime.ask(realtime.CORE_PRIORITY))
        found.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
        child = "import os; print(os.sched_getscheduler(0))"
        found.append(int(subprocess.run(["python3", "-c", child], capture_output=True, check=True).stdout))

    in_a_thread(threading.Thread(target=work))
    refused, own, childs = found
    if refused is not None:
        pytest.skip(f"real-time priority is {refused}")
    assert (own, childs) == (os.SCHED_RR, os.SCHED_OTHER)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
