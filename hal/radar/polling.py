"""When to ask a silent radar whether it lives. Pure: time comes in as an argument.

A radar that says nothing on an empty road cannot be told from a dead one by listening. So: after a short silence ask;
an answered question proves life and the next one waits ``every_s``; an unanswered one is repeated at once, and two
misses mean dead. The first question comes early so that a radar that dies while it streams is found out within a
second, and not after two full periods.
"""

from hal.clock import NS_PER_MS, NS_PER_S

QUIET_NS = 200 * NS_PER_MS
"""Silence after a report before the first question: two frames of a 10 Hz radar."""

DEAD_MISSES = 2
"""Questions unanswered in a row before the radar counts as dead."""


class Polling:
    """Says when a question is due and counts the misses in a row. ``every_s``: pause between answered questions."""

    def __init__(self, now_ns: int, every_s: float) -> None:
        self.misses = 0
        self.asking = False
        self.due_ns = now_ns + QUIET_NS
        self._every_ns = round(every_s * NS_PER_S)

    def due(self, now_ns: int) -> bool:
        """Whether to ask now."""
        return not self.asking and now_ns >= self.due_ns

    def asked(self) -> None:
        """A question is on its way."""
        self.asking = True

    def heard(self, now_ns: int) -> None:
        """A frame came: a report, or the answer to the question."""
        self.due_ns = now_ns + (self._every_ns if self.asking else QUIET_NS)
        self.asking = False
        self.misses = 0

    def missed(self) -> None:
        """A question ran out unanswered."""
        self.misses += 1

    def give_up(self, now_ns: int) -> None:
        """Nobody answers: keep asking, but calmly."""
        self.asking = False
        self.due_ns = now_ns + self._every_ns
