"""A file of the county comes over a bad line, from a server nobody trusts: whole and right, or not at all."""

import hashlib
import pathlib
import shutil
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.provisioning import fetch
from device.provisioning.fetch import SLOW_S, SPARE_BYTES, TRIES, Fetcher
from device.provisioning.files import Named
from device.provisioning.refusal import FetchError
from device.provisioning.store import PART
from hal.clock import NS_PER_S, VirtualClock
from tests.support.enrolment import Desk
from tests.support.file_server import RIGHT, Does, FileServer, serving
from tests.support.mosquitto import Certificates

BODY = bytes(number * 7 % 251 for number in range(20_000))
CUT = Does(cut_at=5_000)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving({"/a": BODY}) as found:
        yield found


class Node:
    """The folder of a node that fetches; ``stop_after``: questions until there is something better to do;
    ``takes_s``: how long each takes, the last for ever."""

    def __init__(self, folder: pathlib.Path, timeout_s: float = 5.0, ca_file: pathlib.Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.clock = VirtualClock()
        self.stop_after: int | None = None
        self.takes_s = [0.0]
        self._asked = 0
        self.fetcher = Fetcher(folder, self.clock, self._stop, ca_file=ca_file, timeout_s=timeout_s)

    def _stop(self) -> bool:
        self.clock.sleep_s(self.takes_s[min(self._asked, len(self.takes_s) - 1)])
        self._asked += 1
        return self.stop_after is not None and self._asked > self.stop_after

    def fetch(self, *urls: str, body: bytes = BODY) -> bool:
        return self.fetcher.fetch(named(body, *urls))

    def refused(self, *urls: str, body: bytes = BODY) -> FetchError:
        with pytest.raises(FetchError) as error:
            self.fetch(*urls, body=body)
        assert not (self.folder / named(body, *urls).sha256).exists()
        return error.value

    def has(self, body: bytes = BODY) -> bool:
        """Whether it has the file and nothing else."""
        (path,) = self.folder.iterdir()
        return path.name == hashlib.sha256(body).hexdigest() and path.read_bytes() == body

    def part(self, body: bytes = BODY) -> pathlib.Path:
        return self.folder / f"{hashlib.sha256(body).hexdigest()}{PART}"


def named(body: bytes, *urls: str) -> Named:
    return Named(sha256=hashlib.sha256(body).hexdigest(), bytes=len(body), urls=urls)


@pytest.fixture
def node(tmp_path: pathlib.Path) -> Node:
    return Node(tmp_path / "files")


def test_a_file_comes_whole(node: Node, server: FileServer) -> None:
    assert node.fetch(f"{server.url}/a") and node.has()
    assert [asked.begins for asked in server.asked] == [None]


def test_after_a_cut_only_the_rest_is_asked_for(node: Node, server: FileServer) -> None:
    server.then = [CUT, CUT]
    assert node.fetch(f"{server.url}/a") and node.has()
    assert [asked.begins for asked in server.asked] == [None, 5_000, 10_000]
    assert server.sent == len(BODY)


def test_a_line_that_always_breaks_but_brings_something_uses_up_no_tries(node: Node, server: FileServer) -> None:
    server.always = Does(cut_at=900)
    assert node.fetch(f"{server.url}/a") and node.has()
    assert len(server.asked) > 3 * TRIES and server.sent == len(BODY)


def test_a_server_that_knows_no_ranges_is_asked_for_all_of_it_again(node: Node, server: FileServer) -> None:
    server.then = [CUT, Does(ranges=False)]
    assert node.fetch(f"{server.url}/a") and node.has()


def test_a_server_that_says_no_length_or_sends_in_chunks_is_as_good(node: Node, server: FileServer) -> None:
    server.then = [Does(length=False, cut_at=3_000), Does(chunked=True, cut_at=3_000), Does(chunked=True)]
    assert node.fetch(f"{server.url}/a") and node.has()
    assert [asked.begins for asked in server.asked] == [None, 3_000, 6_000]


@pytest.mark.parametrize("length", [True, False], ids=["said", "not_said"])
def test_no_more_than_what_is_signed_is_ever_kept(node: Node, server: FileServer, length: bool) -> None:
    server.files["/a"] = BODY + b"more" * 100_000
    server.always = Does(length=length)
    if length:
        assert node.refused(f"{server.url}/a").code == "length"
        assert not list(node.folder.iterdir())
    else:
        assert node.fetch(f"{server.url}/a") and node.has(), "what follows was never asked for"


def test_a_file_that_grew_under_the_same_address_is_refused_by_its_length(node: Node, server: FileServer) -> None:
    server.then = [CUT]
    node.stop_after = 3
    node.fetch(f"{server.url}/a")
    node.stop_after = None
    server.files["/a"] = BODY + b"x"
    assert node.refused(f"{server.url}/a").code == "length"


def test_content_that_changed_is_thrown_away_and_begun_anew(node: Node, server: FileServer) -> None:
    node.part().write_bytes(b"x" * 100)
    assert node.fetch(f"{server.url}/a") and node.has()
    assert [asked.begins for asked in server.asked] == [100, None]


def test_wrong_bytes_are_refused_and_nothing_of_them_stays(node: Node, server: FileServer) -> None:
    server.files["/a"] = BODY[::-1]
    assert node.refused(f"{server.url}/a").code == "content"
    assert not list(node.folder.iterdir())
    assert len(server.asked) == TRIES


def test_a_part_longer_than_the_file_is_no_part_of_it(node: Node, server: FileServer) -> None:
    node.part().write_bytes(BODY + b"x")
    assert node.fetch(f"{server.url}/a") and node.has()


def test_what_was_whole_before_the_power_went_is_proven_without_the_network(node: Node) -> None:
    node.part().write_bytes(BODY)
    assert node.fetch("http://127.0.0.1:9/a") and node.has()


@pytest.mark.parametrize(
    ("does", "code"),
    [
        (Does(status=404), "status"),
        (Does(status=503), "status"),
        (Does(cut_at=0), "cut"),
    ],
)
def test_a_server_that_gives_nothing_is_left_for_another_run(
    node: Node, server: FileServer, does: Does, code: str
) -> None:
    server.always = does
    error = node.refused(f"{server.url}/a")
    assert error.code == code and server.url in str(error)
    assert len(server.asked) == TRIES
    server.always = RIGHT
    assert node.fetch(f"{server.url}/a") and node.has(), "the next run"


def test_another_part_than_was_asked_for_is_refused(node: Node, server: FileServer) -> None:
    node.part().write_bytes(BODY[:100])
    server.always = Does(begins_off=1)
    assert node.refused(f"{server.url}/a").code == "range"
    assert node.part().read_bytes() == BODY[:100]


@pytest.mark.parametrize("where", ["file", "server"])
def test_a_redirect_is_not_followed_least_of_all_to_a_file_of_the_node(
    node: Node, server: FileServer, tmp_path: pathlib.Path, where: str
) -> None:
    (tmp_path / "own").write_bytes(BODY)
    server.always = Does(status=302, location=f"file://{tmp_path}/own" if where == "file" else "/b")
    server.files["/b"] = BODY
    assert node.refused(f"{server.url}/a").code == "status"
    assert {asked.path for asked in server.asked} == {"/a"}


def test_a_server_that_hangs_is_given_up_in_time(tmp_path: pathlib.Path, server: FileServer) -> None:
    node = Node(tmp_path / "files", timeout_s=0.05)
    server.then = [Does(hangs=True, cut_at=4_000), Does(hangs=True)]
    assert node.fetch(f"{server.url}/a") and node.has()
    assert [asked.begins for asked in server.asked] == [None, 4_000, 4_000]


def test_a_server_that_trickles_is_left(node: Node, server: FileServer) -> None:
    server.always = Does(cut_at=1_000)
    node.takes_s = [SLOW_S]
    assert node.refused(f"{server.url}/a").code == "too_slow"


def test_a_server_that_trickles_after_a_good_minute_is_left_too(
    node: Node, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "CHUNK_BYTES", 1)
    monkeypatch.setattr(fetch, "SLOW_BYTES", 2)
    node.takes_s = [0, SLOW_S / 2, SLOW_S / 2, SLOW_S]
    assert node.refused(f"{server.url}/a").code == "too_slow"


def test_the_next_address_is_tried_where_one_gives_nothing(node: Node, server: FileServer) -> None:
    server.files["/b"] = BODY
    assert node.fetch("http://127.0.0.1:9/a", f"{server.url}/gone", f"{server.url}/b") and node.has()


def test_one_bad_mirror_does_not_spoil_what_another_sends_over_a_bad_line(node: Node, server: FileServer) -> None:
    server.files["/bad"] = BODY[::-1]
    server.always = CUT
    assert node.fetch(f"{server.url}/bad", f"{server.url}/a") and node.has()


def test_who_is_called_away_keeps_what_came_and_goes_on_with_it(node: Node, server: FileServer) -> None:
    server.then = [CUT]
    node.stop_after = 2
    assert not node.fetch(f"{server.url}/a")
    assert 0 < node.part().stat().st_size <= 5_000
    node.stop_after = None
    assert node.fetch(f"{server.url}/a") and node.has()
    assert server.asked[-1].begins in range(1, 5_001)


def test_who_is_called_away_before_the_answer_leaves_what_came_as_it_was(node: Node, server: FileServer) -> None:
    node.part().write_bytes(BODY[:100])
    server.always = Does(ranges=False)
    node.stop_after = 0
    assert not node.fetch(f"{server.url}/a")
    assert node.part().read_bytes() == BODY[:100]


def test_a_pause_is_heard_out_of(node: Node) -> None:
    node.stop_after = 0
    assert not node.fetch("http://127.0.0.1:9/a")
    assert node.clock.monotonic_ns() == 0


def test_a_thousand_nodes_do_not_come_back_as_one(tmp_path: pathlib.Path) -> None:
    """Each pause is drawn from an interval that doubles, up to its bound."""
    drawn = []

    def jitter(least_s: float, most_s: float) -> float:
        drawn.append((least_s, most_s))
        return most_s

    clock = VirtualClock()
    fetcher = Fetcher(tmp_path, clock, lambda: False, timeout_s=5.0, jitter=jitter)
    with pytest.raises(FetchError):
        fetcher.fetch(named(BODY, "http://127.0.0.1:9/a"))
    assert drawn == [(0, 4), (0, 8), (0, 16), (0, 32), (0, 60)]
    assert clock.monotonic_ns() == 120 * NS_PER_S


def test_a_proxy_of_the_environment_is_not_asked(
    node: Node, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert node.fetch(f"{server.url}/a") and node.has()


def test_a_disk_without_room_is_told_before_a_byte_is_fetched(
    node: Node, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SPARE_BYTES + len(BODY) - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9 - free, free))
    error = node.refused(f"{server.url}/a")
    assert error.code == "no_space" and str(len(BODY)) in str(error) and not server.asked
    assert node.clock.monotonic_ns() == 0, "and not tried again at once"
    node.part().write_bytes(BODY[:1])
    assert node.fetch(f"{server.url}/a"), "less is missing now"


def test_a_disk_that_fills_up_meanwhile_is_told_and_gets_its_room_back(node: Node, server: FileServer) -> None:
    node.part().symlink_to("/dev/full")
    assert node.refused(f"{server.url}/a").code == "no_space"
    assert not list(node.folder.iterdir()) and len(server.asked) == 1
    assert node.fetch(f"{server.url}/a") and node.has()


def test_a_folder_that_cannot_be_written_is_told(node: Node, server: FileServer) -> None:
    node.part().mkdir()
    error = node.refused(f"{server.url}/a")
    assert error.code == "disk" and str(node.part()) in str(error)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(1, 200_000),
    does=st.lists(
        st.builds(
            Does,
            cut_at=st.none() | st.integers(0, 90_000),
            status=st.sampled_from([200, 200, 200, 500]),
            ranges=st.booleans(),
            length=st.booleans(),
            chunked=st.booleans(),
            begins_off=st.sampled_from([0, 0, 0, 1]),
        ),
        max_size=8,
    ),
    stops=st.lists(st.integers(0, 6), max_size=3),
)
def test_whatever_the_line_does_the_file_is_right_or_not_there(
    server: FileServer, tmp_path_factory: pytest.TempPathFactory, size: int, does: list[Does], stops: list[int]
) -> None:
    """Runs that are called away, fail or succeed, until one meets a server that is well."""
    body = (BODY * 10)[:size]
    server.files["/b"], server.then, server.sent = body, list(does), 0
    folder = tmp_path_factory.mktemp("files")
    for stop_after in [*stops, *[None] * (len(does) + 1)]:
        node = Node(folder)  # another process
        node.stop_after = stop_after
        try:
            done = node.fetch(f"{server.url}/b", body=body)
        except FetchError:
            done = False
        if done:
            break
        assert not (folder / named(body, "http://x/").sha256).exists()
        assert not node.part(body).exists() or body.startswith(node.part(body).read_bytes())
    assert node.has(body)


@pytest.mark.parametrize("whose", ["county", "stranger"])
def test_a_server_beside_the_broker_has_its_certificate_from_the_county(tmp_path: pathlib.Path, whose: str) -> None:
    desk = Desk(tmp_path / "office")
    desk.does("broker", "config", str(desk.broker_folder), county=True)
    pair: tuple[pathlib.Path, ...] = (desk.broker_folder / "broker.pem",)
    if whose == "stranger":
        pair = Certificates.make(tmp_path / "stranger").of("localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*pair)
    with serving({"/a": BODY}, tls) as server:
        node = Node(tmp_path / "files", ca_file=desk.broker_folder / "ca.pem")
        if whose == "county":
            assert node.fetch(f"{server.url}/a") and node.has()
        else:
            assert node.refused(f"{server.url}/a").code == "not_reached" and not server.asked
