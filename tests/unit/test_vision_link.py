"""Vision's line to core: a slow core costs messages and not time, and a new core is found by itself."""

import pathlib

import pytest

from device import ipc
from device.vision.link import RETRY_S, CoreLink
from hal.clock import VirtualClock


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / ipc.VISION_SOCKET


def test_without_core_messages_are_dropped_and_counted(path: pathlib.Path) -> None:
    link = CoreLink(path, VirtualClock())
    assert not link.connect()
    for _ in range(5):
        link.send({"kind": "vision"})
    assert link.dropped == 5
    assert link.heard() == []


def test_a_core_that_does_not_read_never_makes_vision_wait(path: pathlib.Path) -> None:
    server = ipc.listen(path)
    link = CoreLink(path, VirtualClock())
    assert link.connect()
    for _ in range(5000):
        link.send({"kind": "observation", "boxes": [["person", 0.5, 1, 2, 3, 4]] * 30})
    assert link.dropped > 0
    peer, _ = server.accept()
    assert ipc.receive(peer) is not None
    link.close()
    peer.close()
    server.close()


def test_a_restarted_core_is_found_again(path: pathlib.Path) -> None:
    clock = VirtualClock()
    link = CoreLink(path, clock)
    first = ipc.listen(path)
    assert link.connect()
    peer, _ = first.accept()
    peer.close()
    first.close()
    link.send({"kind": "vision"})
    link.send({"kind": "vision"})
    assert link.heard() == []
    second = ipc.listen(path)
    assert not link.connect()  # not at every step
    clock.sleep_s(RETRY_S)
    assert link.connect()
    peer, _ = second.accept()
    link.send({"kind": "vision", "ready": True})
    assert ipc.receive(peer) == {"kind": "vision", "ready": True}
    link.close()
    peer.close()
    second.close()


@pytest.mark.parametrize(
    ("packet", "heard"), [(b'{"kind": "restart"}', [{"kind": "restart"}]), (b"[]", []), (b"\xff{", [])]
)
def test_what_core_says_is_heard_and_what_is_no_message_is_not(
    path: pathlib.Path, packet: bytes, heard: list[dict[str, str]]
) -> None:
    server = ipc.listen(path)
    link = CoreLink(path, VirtualClock())
    link.connect()
    peer, _ = server.accept()
    peer.send(packet)
    assert link.heard() == heard
    assert link.heard() == []
    link.close()
    peer.close()
    server.close()
