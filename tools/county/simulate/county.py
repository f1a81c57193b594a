"""A whole county in one folder, made by the office's own functions: register, keys, authority, broker, enrolled nodes.

    passphrase            of every offline key here, made for this folder; mode 0600
    county/               the office's folder (tools/county/folder.py)
    keys/ repository.json ca/ broker/
    nodes/{node}/         site.yaml, state/, run/ of a simulated node

Invariants: each node is enrolled by the code of the pole and of the office, package to answer; no secret is the same in
two counties; the register is written last, so that a county which was not finished is not taken for one.
"""

import dataclasses
import pathlib
import random
import secrets
import socket
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from configs.errors import CodedError, Text
from configs.files import write_atomically
from device.provisioning import enrolling
from device.provisioning.place import Place
from device.provisioning.verify import Target
from device.provisioning.wave import everyone
from hal.clock import SYSTEM_CLOCK, Clock
from tools.county.ca import authority, broker, enrol
from tools.county.ca.certificates import PrivateKey
from tools.county.desk import now
from tools.county.folder import FLEET, GROUPS, REGISTER, SITES, register
from tools.county.trust import issue
from tools.county.trust import repository as trust
from tools.county.trust.keys import KeyRing

COUNTY: Final = "371500"
OFFICE_FILE: Final = f"{broker.OFFICE}.pem"

PORTS: Final = range(20_000, 32_000)
"""Below those that the system gives to whoever connects (from 32768): while the broker is away a thousand nodes knock,
and one that was given the broker's own port would connect to itself and keep it."""

_SITE = """\
# 模拟的丁字路口 / a T junction that is played
site: {id: 371500/NODE, name: 模拟路口 NODE, design_user: truck}
approaches:
  main_east:    {road: main, limit_kmh: 40, conflicts: [branch_south], bearing_deg: 90}
  main_west:    {road: main, limit_kmh: 40, conflicts: [branch_south], bearing_deg: 270}
  branch_south: {road: branch, limit_kmh: 30, conflicts: [main_east, main_west], bearing_deg: 180}
radars:
  r_east: {driver: ld2451, url: /dev/ttyAMA0, approach: main_east, to_conflict_m: 6, reach_m: 100}
  r_west: {driver: ld2451, url: /dev/ttyAMA2, approach: main_west, to_conflict_m: 6, reach_m: 100}
lamps:
  l_branch: {driver: gpio, pin: 17, faces: [branch_south]}
  l_main:   {driver: gpio, pin: 27, faces: [main_east, main_west]}
heartbeat: {driver: gpio, pin: 22}
policy:
  gap_s: {car: 7.5, truck: 9.5}
  hold_s: 3            # 原因消失后再亮几秒 / lit this long after the cause has gone
  caution_requires: any
voice:
  quiet_hours: {start: "21:00", end: "07:00"}
"""


class SimulationError(CodedError):
    """The fleet cannot run; the message says why and what to do."""

    messages: ClassVar[Mapping[str, Text]] = {
        "unfinished": Text(
            "{folder} 不是空的,也不是做完的模拟县;请换一个目录",
            "{folder} is neither empty nor a county that was finished; take another folder",
        ),
        "other_size": Text(
            "{folder} 里的县有 {value} 个节点,不是 {wanted};请换一个目录,或写 --nodes {value}",
            "the county in {folder} has {value} nodes, not {wanted}; take another folder, or --nodes {value}",
        ),
        "too_few_files": Text(
            "要打开 {wanted} 个文件,这里只许 {value} 个:ulimit -n {wanted}",
            "{wanted} open files are needed and {value} allowed: ulimit -n {wanted}",
        ),
        "option": Text(
            "{name} {value!r}:应写成 {allowed}",
            "{name} {value!r}: wanted: {allowed}",
        ),
        "worker_gone": Text(
            "第 {number} 个工作进程停了,见 {file}",
            "worker {number} has ended; see {file}",
        ),
    }


@dataclasses.dataclass(frozen=True, slots=True)
class County:
    """The folder of a county that was made."""

    folder: pathlib.Path
    group_of: Mapping[str, str]
    broker: str
    """``mqtts://localhost:port`` for nodes; the office's listener has the port after it."""

    @property
    def files(self) -> pathlib.Path:
        """The office's folder."""
        return self.folder / "county"

    @property
    def repository(self) -> pathlib.Path:
        """What the office has signed."""
        return self.folder / "repository.json"

    @property
    def keys(self) -> pathlib.Path:
        """The keys it signs with."""
        return self.folder / "keys"

    @property
    def ca(self) -> pathlib.Path:
        """The folder of the authority, with the office's certificate."""
        return self.folder / "ca"

    @property
    def broker_folder(self) -> pathlib.Path:
        """The broker's configuration, rights and certificates."""
        return self.folder / "broker"

    @property
    def ca_file(self) -> pathlib.Path:
        """The authority's certificate, by which the broker is known."""
        return self.broker_folder / "ca.pem"

    @property
    def passphrase(self) -> pathlib.Path:
        """The file with the passphrase of every offline key."""
        return self.folder / "passphrase"

    @property
    def office_pair(self) -> pathlib.Path:
        """Certificate and key of the office at the broker."""
        return self.ca / OFFICE_FILE

    @property
    def office_url(self) -> str:
        """Where the office connects."""
        return f"mqtts://localhost:{self.port + 1}"

    @property
    def port(self) -> int:
        """Where nodes connect."""
        return broker.address(self.broker)[1]

    @property
    def groups(self) -> list[str]:
        """In the order of the register."""
        return list(dict.fromkeys(self.group_of.values()))

    def ring(self) -> KeyRing:
        """The keys, with somebody who knows the passphrase."""
        return KeyRing([self.keys], lambda _name, _new: self.passphrase.read_bytes())


def place(folder: pathlib.Path, node: str, clock: Clock) -> Place:
    """The places of a node of the county in ``folder``."""
    own = folder / "nodes" / node
    return Place(own / "site.yaml", own / "run", own / "state", clock)


def existing(folder: pathlib.Path) -> County | None:
    """The county in a folder, None where the folder is empty. Raises SimulationError, CaError, ConfigError."""
    if not folder.exists() or not any(folder.iterdir()):
        return None
    if not (folder / "county" / REGISTER).exists():
        raise SimulationError("unfinished", folder=folder)
    _county, group_of = register(folder / "county")
    return County(folder, group_of, authority.load(folder / "ca").broker)


def make(folder: pathlib.Path, nodes: int, groups: int) -> County:
    """A county of ``nodes`` nodes, ``n0001`` and on, dealt out to ``groups`` groups. Raises OSError, CaError,
    TrustError."""
    folder = folder.resolve()
    names = [f"group_{number:02}" for number in range(1, groups + 1)]
    group_of = {f"n{number:04}": names[(number - 1) % groups] for number in range(1, nodes + 1)}
    county = County(folder, group_of, f"mqtts://localhost:{_two_free_ports()}")
    for made in (county.files / GROUPS, county.files / SITES, county.keys, county.ca, county.broker_folder):
        made.mkdir(parents=True)
    write_atomically(county.passphrase, secrets.token_urlsafe(16).encode(), mode=0o600)
    _files(county)
    _sign(county)
    _authority(county)
    lines = [f"county: {COUNTY}", "nodes:", *(f"  {node}: {group}" for node, group in group_of.items())]
    _write(county.files / REGISTER, "\n".join(lines) + "\n")
    return county


def _with_broker(county: County) -> str:
    """The site file of node ``NODE`` with the broker and the files of its enrolment; written once, edits are slow."""
    state = place(county.folder, "NODE", SYSTEM_CLOCK).state_dir
    return enrolling.with_broker(_SITE, county.broker, state, "site.yaml")


def _files(county: County) -> None:
    _write(county.files / FLEET, "# 全县 / the whole county\n")
    for group in county.groups:
        _write(county.files / GROUPS / f"{group}.yaml", "# 还没有 / nothing yet\n")


def _sign(county: County) -> None:
    """A first issue that says nothing to anybody, so that every group has its key."""
    ring = county.ring()
    signed = issue.create(COUNTY, ring, now())
    for group in county.groups:
        signed = issue.sign_group(signed, group, {"group.yaml": Target("{}\n", everyone())}, ring, now())
    trust.save(county.repository, signed)


def _authority(county: County) -> None:
    def ask(_name: str, _new: bool) -> bytes:
        return county.passphrase.read_bytes()

    found = authority.create(county.ca, COUNTY, county.broker, ask, now())
    key = authority.open_key(county.ca, ask)
    found, pair = broker.certify_broker(found, key, now())
    broker.write_pair(county.broker_folder / broker.BROKER_FILE, pair)
    found, pair = broker.certify_office(found, key, now())
    broker.write_pair(county.office_pair, pair)
    signed = trust.load(county.repository)
    root = signed.files[f"{signed.root_version}.root.json"].decode()
    found = _enrolled(county, found, key, root, county.group_of.items())
    authority.save(county.ca, found)
    broker.write(county.broker_folder, found, county.group_of)


def _enrolled(
    county: County, found: authority.Authority, key: PrivateKey, root: str, nodes: Iterable[tuple[str, str]]
) -> authority.Authority:
    """Every node with its certificate, and its site file at the office."""
    template = _with_broker(county)
    for node, group in nodes:
        text = template.replace("NODE", node)
        own = place(county.folder, node, SYSTEM_CLOCK)
        own.state_dir.mkdir(parents=True)
        found, package = enrol.package(found, node, group, root, now())
        request = enrolling.begin(own.state_dir, package, package.place, text)
        found, answer = enrol.answer(found, enrol.given_for(found, request, now()), request, key, now())
        enrolling.accept(own.state_dir, answer, package.place, text)
        enrolling.end(own.state_dir)
        _write(own.site_path, text)
        _write(county.files / SITES / f"{node}.yaml", text)
    return found


def _write(path: pathlib.Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _two_free_ports() -> int:
    """A port that is free with the one after it."""
    while True:
        port = random.choice(PORTS)
        try:
            with socket.socket() as first, socket.socket() as second:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
        except OSError:
            continue
        return port
