"""A configuration that waits for its larger files: kept on the disk until they are there, fetched meanwhile.

``{state}/county/awaited.json`` is the slot that goes on trial when its files are there. It was verified, and the trust
moved on with it, so that its bundle need not lie in the inbox, where it would only be judged again. One waits at a
time: the county's newest word to this node, whatever that is, takes its place (``Provision``).

Invariants: what waits is there whole or not; while something is fetched the inbox is looked at, and for ``SLICE_S`` at
most nothing else of provision is done. Fetching is done in a thread that is left behind where it does not listen: a
server that answers byte by byte, or a name that nobody resolves, keeps no order of the county waiting. It then writes
nothing any more, and if it did, the hash would tell.
"""

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterable

from configs.files import make_folder, write_atomically
from device.provisioning import enrolment
from device.provisioning.place import Place
from device.provisioning.refusal import FetchError
from device.provisioning.slots import Slot
from hal.clock import NS_PER_S

log = logging.getLogger(__name__)

SLICE_S = 300.0
"""Changes made by hand have to age and to end while a large file comes in over a slow line."""

LISTENS_S = 3.0
"""For so long a thread that should stop may be inside a read of the network; most reads are over sooner."""


class Loading:
    """The files that a node still has to fetch."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._path = place.county / enrolment.AWAITED
        self._left_behind = 0

    def keep(self, slot: Slot) -> None:
        """This slot waits now. Raises OSError."""
        write_atomically(self._path, slot.model_dump_json().encode())

    def drop(self) -> None:
        """None waits. Raises OSError."""
        self._path.unlink(missing_ok=True)

    def awaited(self) -> Slot | None:
        """What waits. A file that cannot be read is no slot: the next bundle says it again."""
        try:
            return Slot.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.error("event=awaited_unreadable file=%s reason=%s", self._path, error)
            return None

    def load(self, slot: Slot, called: Callable[[], bool]) -> bool:
        """Fetches what ``slot`` names; whether its set is there now. False: ``called`` away, or the slice is over; what
        came stays. Raises FetchError."""
        try:
            return self._load(slot, called)
        except OSError as error:
            raise FetchError("disk", file=error.filename or self._place.county, detail=error.strerror) from None

    def _load(self, slot: Slot, called: Callable[[], bool]) -> bool:
        from device.provisioning.fetch import LOOK_S, Fetcher  # urllib3, which most runs never need

        over_ns = self._place.clock.monotonic_ns() + round(SLICE_S * NS_PER_S)
        left_behind = threading.Event()

        def stop() -> bool:
            return left_behind.is_set() or called() or self._place.clock.monotonic_ns() >= over_ns

        store = self._place.store
        make_folder(store.files)
        ca_file = self._place.county / enrolment.CA_FILE
        fetcher = Fetcher(store.files, self._place.clock, stop, ca_file=ca_file if ca_file.exists() else None)
        for named in store.to_fetch(slot.files):
            work = _Work(functools.partial(fetcher.fetch, named, self._left_behind))
            work.start()
            while work.is_alive() and not stop():
                work.join(LOOK_S)
            work.join(LISTENS_S)
            if work.is_alive():
                left_behind.set()
                self._left_behind += 1  # the next try begins with another address
            if not work.outcome():
                return False
            log.info("event=file_fetched sha256=%s bytes=%d", named.sha256, named.bytes)
        store.fit(slot.files)
        return True

    def tidy(self, slots: Iterable[Slot]) -> None:
        """Removes the files that neither these slots nor the one that waits names. Never in the way of anything."""
        awaited = self.awaited()
        with contextlib.suppress(OSError):
            self._place.store.tidy([slot.files for slot in [*slots, *([awaited] if awaited else [])]])


class _Work(threading.Thread):
    """Does something, and keeps what came of it for whoever asks."""

    def __init__(self, fetch: Callable[[], bool]) -> None:
        super().__init__(name="fetch", daemon=True)
        self._fetch = fetch
        self._found = False
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._found = self._fetch()
        except Exception as error:  # noqa: BLE001 - a thread's top: it is raised where somebody waits for it
            self._error = error

    def outcome(self) -> bool:
        """What it found; False while it is at it. Raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._found
