"""Fetches one file of the county over HTTP or HTTPS, as far as the line allows, and proves it by its hash.

Invariants
- What is signed decides: no more than the signed length is read or kept, and nothing has the file's name that does not
  have its hash.
- What came stays in ``{sha256}.part`` over a cut line, a killed process and a power cut, and the next try asks for the
  rest (``Range``). A server that sends all of it again is taken at its word: begun anew. What turns out wrong at the
  end goes, so that one bad mirror cannot spoil what the next one sends.
- Whoever called is asked between two reads, and in every pause, whether there is something better to do.
- Every failure has its own code; after ``TRIES`` of them it is left for another run. A line that breaks after it
  brought something is no failure: bad weather must not use up the tries.

TLS is checked by the county's authority and the system's, either will do: the county's own file server has its
certificate from the one, a rented one from the other. It keeps strangers from listening; what is believed is the hash,
so that a node whose clock stands at 1970, for which a rented server's certificate is not valid yet, may be given an
``http`` address. A redirect is a refusal: a provider's log-in page answers like that, and the office can sign the right
address. Proxies of the environment are not asked. urllib3 is what tuf uses; its own retries neither resume nor listen
meanwhile.
"""

import errno
import hashlib
import os
import pathlib
import random
import re
import shutil
import ssl
from collections.abc import Callable
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from configs.files import sync_folder
from device.provisioning.files import Named
from device.provisioning.refusal import FetchError
from device.provisioning.store import PART
from hal.clock import NS_PER_S, Clock

TIMEOUT_S: Final = 20.0
"""Without a byte; on a weak 4G line a packet is retransmitted for several seconds."""

TRIES: Final = 6
"""Failures in one run, over all addresses: with the pauses below, a minute. Provision runs again within nine."""

PAUSE_S: Final = 2.0
PAUSE_MOST_S: Final = 60.0
"""After the first failure a pause is drawn between nothing and 4 s, then 8 s, 16 s … (full jitter): a thousand nodes
that lost one server must not come back as one."""

LOOK_S: Final = 0.5
"""How often a pause asks whether there is something better to do."""

CHUNK_BYTES: Final = 64 * 1024

SLOW_S: Final = 60.0
SLOW_BYTES: Final = 8 * 1024
"""Less than this in a minute is no line but a server that holds on to its clients: GPRS in one time slot (CS-1, 9 kb/s)
brings 68 kB."""

SPARE_BYTES: Final = 64 * 1024 * 1024
"""Left free on the disk whatever is fetched: journal and incidents come first."""

_RANGE: Final = re.compile(r"bytes ([0-9]{1,12})-[0-9]{1,12}/([0-9]{1,12}|\*)")


class Fetcher:
    """Fetches into ``folder``. ``stop`` says whether there is something better to do; ``ca_file``: the county's
    authority, where the node has one."""

    def __init__(
        self,
        folder: pathlib.Path,
        clock: Clock,
        stop: Callable[[], bool],
        *,
        ca_file: pathlib.Path | None = None,
        timeout_s: float = TIMEOUT_S,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._stop = stop
        self._ca_file = ca_file
        self._timeout_s = timeout_s
        self._jitter = jitter

    def fetch(self, wanted: Named, turn: int = 0) -> bool:
        """Whether the file is there now; False: ``stop`` said so, and what came stays. ``turn``: the address to begin
        with. Raises FetchError."""
        part = self._folder / f"{wanted.sha256}{PART}"
        failures = 0
        while True:
            before = _size(part)
            url = wanted.urls[turn % len(wanted.urls)]
            try:
                if not self._get(url, wanted, part):
                    return False
                self._prove(url, wanted, part)
                return True
            except OSError as error:
                raise _disk(error, part, wanted) from None
            except FetchError as error:
                if error.code == "no_space":  # no other address changes that
                    raise
                if error.code != "cut" or _size(part) <= before:
                    failures, turn = failures + 1, turn + 1
                if failures == TRIES:
                    raise
            if not self._pause(failures):
                return False

    def _get(self, url: str, wanted: Named, part: pathlib.Path) -> bool:
        """Asks an address for what is missing; whether all is there, False when stopped. Raises FetchError, OSError."""
        have = _size(part)
        if have > wanted.bytes:  # never by us
            part.unlink()
            have = 0
        if have == wanted.bytes:  # what was killed before it was proven
            return True
        if shutil.disk_usage(self._folder).free < wanted.bytes - have + SPARE_BYTES:
            raise FetchError("no_space", wanted=wanted.bytes - have, spare=SPARE_BYTES)
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with urllib3.PoolManager(ssl_context=self._tls() if url.startswith("https:") else None) as pool:
            try:
                response = pool.request(
                    "GET",
                    url,
                    headers=headers,
                    timeout=self._timeout_s,
                    retries=False,  # and no redirects
                    preload_content=False,
                    decode_content=False,
                )
            except HTTPError as error:
                raise FetchError("not_reached", url=url, detail=_first_line(error)) from None
            with response:
                if self._stop():
                    return False
                have = _begins_at(response, url, wanted, have)
                return self._read(response, url, wanted, have, part)

    def _read(self, response: urllib3.BaseHTTPResponse, url: str, wanted: Named, have: int, part: pathlib.Path) -> bool:
        looked_ns, since = self._clock.monotonic_ns(), 0
        with part.open("ab" if have else "wb") as file:
            while have < wanted.bytes:
                try:
                    data = response.read1(min(CHUNK_BYTES, wanted.bytes - have))
                except HTTPError as error:
                    raise FetchError("cut", url=url, detail=_first_line(error)) from None
                if self._stop():  # another may be at this file since
                    return False
                if not data:
                    raise FetchError("cut", url=url, detail=f"{have} of {wanted.bytes} bytes")
                file.write(data)
                have, since = have + len(data), since + len(data)
                if self._clock.monotonic_ns() - looked_ns >= SLOW_S * NS_PER_S:
                    if since < SLOW_BYTES:
                        raise FetchError("too_slow", url=url)
                    looked_ns, since = self._clock.monotonic_ns(), 0
        return True

    def _prove(self, url: str, wanted: Named, part: pathlib.Path) -> None:
        """Gives a part that has the hash its name, for good. Raises FetchError, OSError."""
        with part.open("rb+") as file:
            os.fsync(file.fileno())
            if hashlib.file_digest(file, "sha256").hexdigest() != wanted.sha256:
                part.unlink()
                raise FetchError("content", url=url)
        part.replace(self._folder / wanted.sha256)
        sync_folder(self._folder)

    def _pause(self, failures: int) -> bool:
        """Waits before another try; False when stopped."""
        left_s = self._jitter(0.0, min(PAUSE_MOST_S, PAUSE_S * 2.0**failures))
        while left_s > 0:
            if self._stop():
                return False
            self._clock.sleep_s(min(LOOK_S, left_s))
            left_s -= LOOK_S
        return True

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._ca_file is not None:
            context.load_verify_locations(self._ca_file)
        return context


def _begins_at(response: urllib3.BaseHTTPResponse, url: str, wanted: Named, have: int) -> int:
    """At which byte of the file the answer begins. Raises FetchError where it is not what was asked for."""
    if response.status == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != have:
            raise FetchError("range", url=url)
        if found[2] not in ("*", str(wanted.bytes)):
            raise FetchError("length", url=url, found=found[2], wanted=wanted.bytes)
        return have
    if response.status != 200:
        raise FetchError("status", url=url, status=response.status)
    length = response.headers.get("Content-Length")
    if length is not None and length != str(wanted.bytes):
        raise FetchError("length", url=url, found=length[:20], wanted=wanted.bytes)
    return 0


def _disk(error: OSError, part: pathlib.Path, wanted: Named) -> FetchError:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return FetchError("disk", file=error.filename or part, detail=error.strerror or error)
    missing = wanted.bytes - _size(part)
    part.unlink(missing_ok=True)  # the journal needs the room more than the next run does
    return FetchError("no_space", wanted=missing, spare=SPARE_BYTES)


def _size(path: pathlib.Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _first_line(error: HTTPError) -> str:
    return str(error).partition("\n")[0][:160]
