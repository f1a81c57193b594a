"""Says what a rollout has come to, listens to the nodes, goes on; and keeps at the broker what the county has signed.

Invariants: what is wanted lies on the disk before it is signed for, and is signed for before it is said, so that a
driver that was killed anywhere goes on from the files alone; one driver at a time for a repository; a broker that lost
its store is given every bundle again, one that has them is given none; time counts for nodes only while the office
hears its broker.
"""

import contextlib
import datetime
import fcntl
import hashlib
import logging
import pathlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cloud_bridge.topics import ConfigReportedBody
from configs.bundle import BundleError
from device.provisioning.verify import role_of
from hal.clock import NS_PER_S, Clock
from tools.county.line import Line
from tools.county.rollout import judge, state
from tools.county.rollout.state import Phase, Rollout
from tools.county.trust import issue, repository
from tools.county.trust.errors import TrustError
from tools.county.trust.keys import KeyRing
from tools.county.trust.repository import Repository, bundle_of

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
"""How long a turn waits for news at most."""

GATHER_S: Final = 0.2
"""And for more of it: a thousand nodes say something every few milliseconds, and each look reads every word anew."""

RENEW_BEFORE: Final = issue.VALID["timestamp"] / 2
"""With less than this left the online signature is renewed: half a month in which the office may stand still."""

_BUNDLES_KEPT: Final = 100
_FOR_GOOD: Final = frozenset({"presigned_key", "presigned_old"})
"""Why what was signed at the start can never be said any more."""

_TIME_KEPT_S: Final = 5.0
"""What a killed driver may forget of the time that has passed."""


class Driver:
    """Drives the rollout of one repository and keeps its bundles at the broker. ``now``: wall time, for signatures."""

    def __init__(
        self,
        path: pathlib.Path,
        keys: KeyRing,
        line: Line,
        clock: Clock,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._path = path
        self._rollout_path = state.path_of(path)
        self._keys = keys
        self._line = line
        self._clock = clock
        self._now = now
        self._looked_ns: int | None = None
        self._bundles: tuple[bytes, dict[str, bytes]] | None = None
        self._rollout: Rollout | None = None
        self.problem: str | None = None
        self.unpublished = 0
        """Bundles that the broker does not have yet."""

    def turn(self) -> Rollout | None:
        """One look, soon after there is news; the rollout as it is now. Raises OSError, TrustError, RolloutError."""
        if self._line.news.wait(LOOK_S):
            self._clock.sleep_s(GATHER_S)
        self._line.take()
        rollout = self._go_on()
        self._renew()
        self.unpublished = self._line.keep(self._wanted(rollout))
        return rollout

    @property
    def error(self) -> str | None:
        """What is wrong with the broker."""
        return self._line.error

    def _go_on(self) -> Rollout | None:
        with state.locked(self._rollout_path):
            kept = state.load(self._rollout_path)
            if kept is None:
                return None
            mine = self._rollout
            is_mine = mine is not None and (mine.begun, mine.salt) == (kept.begun, kept.salt)
            rollout = mine.model_copy(update={"order": kept.order}) if mine is not None and is_mine else kept
            rollout = judge.step(rollout, self._reports(), self._listened_s())
            if _news(rollout, kept):  # before it is signed for: a driver after this one must want the same
                state.save(self._rollout_path, rollout)
            said = self._said(rollout)
            if said != rollout:
                state.save(self._rollout_path, said)
            self._rollout = said
            return said

    def _reports(self) -> Mapping[str, ConfigReportedBody]:
        return {node: said.reported for node, said in self._line.nodes.items() if said.reported is not None}

    def _listened_s(self) -> float:
        """Since the last look, 0 while the broker is away or has not got what is to be said."""
        now_ns, before_ns = self._clock.monotonic_ns(), self._looked_ns
        self._looked_ns = now_ns
        if before_ns is None or not self._line.is_settled or self.unpublished:
            return 0.0
        return (now_ns - before_ns) / NS_PER_S

    def _said(self, rollout: Rollout) -> Rollout:
        """Signs online for what the rollout has come to, where that was not done; the rollout's lock is held."""
        if rollout.is_over:
            return rollout
        is_back = rollout.phase is Phase.BACK
        presigned = rollout.presigned_back if is_back else rollout.presigned[rollout.wave]
        texts = rollout.before if is_back else rollout.texts
        wanted = {group: text.encode() for group, text in presigned.items()}
        try:
            with repository.locked(self._path):
                county = repository.load(self._path)
                todo = {group: data for group, data in wanted.items() if county.files[f"{role_of(group)}.json"] != data}
                if todo:
                    _check_ours(county, rollout)
                    county = issue.adopt(county, todo, texts, self._keys, self._now())
                    repository.save(self._path, county)
        except TrustError as error:
            if error.code == "busy":
                return rollout
            if error.code not in _FOR_GOOD:  # a key that is not within reach, a clock that is wrong: somebody mends it
                raise
            log.error("event=rollout_stopped reason=%s", error)
            return rollout.model_copy(update={"phase": Phase.STOPPED, "why": str(error)})
        if is_back and rollout.back_version is None:
            return rollout.model_copy(update={"back_version": county.timestamp.version})
        return rollout

    def _renew(self) -> None:
        """Has the online signature never run out while somebody is here."""
        county = repository.load(self._path)
        if county.timestamp.expires - self._now() < RENEW_BEFORE:
            with contextlib.suppress(TrustError), repository.locked(self._path):
                repository.save(
                    self._path, issue.renew(repository.load(self._path), "timestamp", self._keys, self._now())
                )

    def _wanted(self, rollout: Rollout | None) -> dict[str, bytes]:
        """The bundle of every group, made when the repository has changed."""
        county = repository.load(self._path)
        stamp = county.files[repository.TIMESTAMP]
        if self._bundles is None or self._bundles[0] != stamp:
            self._bundles = (stamp, dict(self._made(county)))
            if rollout is not None and not rollout.is_over:
                # A node that could read nothing of a bundle names it by its hash alone.
                ours = [data for group, data in self._bundles[1].items() if group in rollout.texts]
                made = (*rollout.bundles, *(hashlib.sha256(data).hexdigest() for data in ours))
                self._rollout = rollout.model_copy(update={"bundles": made[-_BUNDLES_KEPT:]})
        return self._bundles[1]

    def _made(self, county: Repository) -> Iterator[tuple[str, bytes]]:
        self.problem = None
        for group in county.groups:
            try:
                yield group, bundle_of(county, group)
            except (TrustError, BundleError) as error:  # the others still get theirs
                self.problem = str(error)
                log.error("event=bundle_impossible group=%s reason=%s", group, error)


def _news(rollout: Rollout, kept: Rollout) -> bool:
    """Whether it is worth a write: time alone is, every few seconds."""
    same_time = rollout.model_copy(update={"watched_s": kept.watched_s})
    return same_time != kept or not 0 <= rollout.watched_s - kept.watched_s < _TIME_KEPT_S


def _check_ours(county: Repository, rollout: Rollout) -> None:
    """What the groups were told last is the rollout's, or what was there before it. Raises TrustError."""
    ours = [{**rollout.presigned_back}, *rollout.presigned]
    for group in rollout.texts:
        now = county.files[f"{role_of(group)}.json"].decode()
        is_first = {name: data.decode() for name, data in county.texts(group).items()} == {
            f"{group}/{name}": text for name, text in rollout.before[group].items()
        }
        if not is_first and all(now != each[group] for each in ours):
            raise TrustError("presigned_old", group=group)


@contextlib.contextmanager
def alone(path: pathlib.Path) -> Iterator[bool]:
    """Whether no other driver is at this repository; the lock dies with its process."""
    with path.with_name(f"{path.name}.driver").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextlib.contextmanager
def driving(
    path: pathlib.Path,
    keys: KeyRing,
    broker: str,
    ca: pathlib.Path | None,
    cert: pathlib.Path | None,
    clock: Clock,
    now: Callable[[], datetime.datetime],
) -> Iterator[Driver]:
    """A driver with a line of its own; whoever asks holds ``alone``. Raises ValueError, TrustError."""
    line = Line(repository.load(path).county, broker, ca, cert, f"office-{secrets.token_hex(4)}", clock)
    line.start()
    try:
        yield Driver(path, keys, line, clock, now)
    finally:
        line.close()
