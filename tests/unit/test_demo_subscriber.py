"""The demo without a broker: guarded all the same, and not passed off as complete."""

from device.journal_reader import Row
from tools.demo.subscriber import NoSubscriber

ROW = Row(
    stream="s",
    seq=1,
    boot_id="b",
    mono_ms=1,
    t="2026-11-22T00:00:00Z",
    t_quality="rtc",
    kind="node",
    face=None,
    body={},
)


def test_without_a_broker_the_comparison_fails_and_nothing_is_waited_for() -> None:
    nobody = NoSubscriber()
    assert nobody.count() == 0
    assert not nobody.wait_for({("s", 1)}, 60.0)
    assert not nobody.compare([ROW]).equal
