"""What the measurements share: how many samples, where notes go, and one node at work that is started when needed."""

import dataclasses
import sys

from tools.bench.rig import Node


@dataclasses.dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. The defaults are what the issue asks for, or a little more."""

    frames: int = 11_000
    events_each: int = 55
    """Vehicles and people, at each of four places."""
    edges: int = 400
    kills: int = 300
    hangs: int = 200
    starts: int = 10
    pictures: int = 300
    work_s: int = 60


FULL = Sizes()
QUICK = Sizes(frames=1500, events_each=5, edges=60, kills=8, hangs=10, starts=2, pictures=60, work_s=15)
"""Enough to see that everything works and roughly what it costs; claims nothing."""


class Session:
    """One run of the bench. Close it."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self._node: Node | None = None

    def node(self, *, dark: bool = True) -> Node:
        """The node at work, all lamps dark unless that does not matter. Raises BenchError."""
        if self._node is None:
            self.note("starting a node: four radars at 10 Hz, two cameras at 10 pictures a second, Mosquitto")
            self._node = Node()
        if dark:
            self._node.wait_dark()
        return self._node

    def note(self, text: str) -> None:
        """Tells whoever watches, on stderr: stdout is for figures."""
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Ends the node."""
        if self._node is not None:
            self._node.close()
            self._node = None
