"""Whatever is done to a bundle on its way, or by whoever stole a key, the node says why not and stays as it was.

One sentence an attack: what was done, the code of the refusal, the file it names. After each, the node's trust is the
same to the byte, and the office's next bundle applies. The attacks are those of the TUF specification (1.5.2) and of
Uptane's threat model, and what a parser is fed. Slow retrieval has no place: a bundle is there as a whole or it is not.
"""

import dataclasses
import datetime
import json
import pathlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, TargetFile

from configs.bundle import FORMAT, MAX_FILES, BundleError, pack, unpack
from device.provisioning import trusted
from device.provisioning.refusal import Refused
from device.provisioning.verify import verify
from tests.support.office import COUNTY, DAY, NODE, Office, forged, forged_in, replaced
from tools.county.trust.key import OfficeKey

TIMESTAMP, SNAPSHOT, TARGETS, GROUP = "timestamp.json", "snapshot.json", "targets.json", "group-north.json"
TEXT, OWN, OTHERS = "north/group.yaml", "north/nodes/n0001.yaml", "north/nodes/n0002.yaml"
FILES = "north/files.json"
PATCHES = {"n0001": "policy: {hold_s: 6}\n", "n0002": "policy: {hold_s: 7}\n"}


@dataclasses.dataclass(frozen=True)
class Scene:
    """``old`` was the first bundle, ``last`` is what the node has, ``new`` is what the office says next."""

    office: Office
    elsewhere: Office
    old: bytes
    last: bytes
    new: bytes
    new_office: Office
    south: bytes
    stranger: OfficeKey

    def take(self, role: str, number: int = 0) -> OfficeKey:
        return self.office.key(role, number)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    office = Office(tmp_path_factory.mktemp("keys"))
    old = office.says("north", 3, PATCHES)
    south = office.says("south", 3)
    last = office.says("north", 4, PATCHES)
    later = office.as_it_is()
    later.rotates("south")
    new = later.says("north", 5, PATCHES)
    elsewhere = Office(tmp_path_factory.mktemp("elsewhere"), county="371600")
    elsewhere.says("north", 3)
    return Scene(office, elsewhere, old, last, new, later, south, OfficeKey.generate())


@pytest.fixture
def node(scene: Scene, tmp_path: pathlib.Path) -> pathlib.Path:
    """A node that was enrolled and has verified ``last``."""
    trusted.save(tmp_path, trusted.begin(scene.office.repository.files["1.root.json"]))
    verify(scene.last, tmp_path, NODE)
    return tmp_path


@dataclasses.dataclass(frozen=True)
class Attack:
    sentence: str
    code: str
    names: str | None
    make: Callable[[Scene], bytes]
    built_at: datetime.datetime = trusted.BUILT_AT


ATTACKS: list[Attack] = []


def attack(
    sentence: str, code: str, names: str | None = None, **how: Any
) -> Callable[[Callable[[Scene], bytes]], None]:
    def add(make: Callable[[Scene], bytes]) -> None:
        ATTACKS.append(Attack(sentence, code, names, make, **how))

    return add


def raw(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def files(inside: str) -> bytes:
    return raw(f'{{"format": "{FORMAT}", "files": {{{inside}}}}}')


def part(packed: bytes, name: str) -> bytes:
    return unpack(packed)[name]


def nothing(_signed: Any) -> None:
    """Changes nothing: only who signed is different."""


def set_(**fields: Any) -> Callable[[Any], None]:
    def change(signed: Any) -> None:
        for name, value in fields.items():
            setattr(signed, name, value)

    return change


def told(**fields: Any) -> Callable[[Any], None]:
    """Changes fields that TUF does not know; ``None`` takes one away."""

    def change(signed: Any) -> None:
        signed.unrecognized_fields |= fields
        for name in [name for name, value in fields.items() if value is None]:
            del signed.unrecognized_fields[name]

    return change


def snapshot_of(**versions: int) -> Callable[[Any], None]:
    def change(signed: Any) -> None:
        signed.version += 1
        for name, version in versions.items():
            signed.meta[f"{name.replace('_', '-')}.json"].version = version

    return change


def next_issue(scene: Scene, name: str, change: Callable[[Any], None], key: OfficeKey) -> bytes:
    """``last`` with a group's or the targets' metadata forged one version on, under a stolen online key as well."""
    online = scene.take("timestamp")

    def one_on(signed: Any) -> None:
        signed.version += 1
        change(signed)

    forged_part = forged(part(scene.last, name), one_on, key)
    version = Metadata[Any].from_bytes(forged_part).signed.version
    packed = replaced(scene.last, {name: forged_part})
    role = name.removesuffix(".json").replace("-", "_")
    packed = forged_in(packed, SNAPSHOT, snapshot_of(**{role: version}), online)

    def point(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta.version += 1

    return forged_in(packed, TIMESTAMP, point, online)


def shifted(version: int, snapshot: int = 0) -> Callable[[Any], None]:
    def change(signed: Any) -> None:
        signed.version += version
        signed.snapshot_meta.version += snapshot

    return change


# Arbitrary software, wrong signatures.


@attack("a stranger on the line changes the group's text", "damaged", TEXT)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {TEXT: b"policy: {hold_s: 500}\n"})


@attack("a stranger changes one digit and keeps the length", "damaged", TEXT)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {TEXT: part(scene.new, TEXT).replace(b"5", b"1")})


@attack("a stranger changes the node's own patch", "damaged", OWN)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {OWN: b"policy: {hold_s: 1}\n"})


for _name in (TIMESTAMP, SNAPSHOT, TARGETS, GROUP):

    @attack(f"a stranger signs {_name} by a key of their own", "signature", _name)
    def _(scene: Scene, name: str = _name) -> bytes:
        return forged_in(scene.new, name, nothing, scene.stranger)

    @attack(f"{_name} comes without a signature", "signature", _name)
    def _(scene: Scene, name: str = _name) -> bytes:
        return forged_in(scene.new, name, nothing)

    @attack(f"a bit of the signature of {_name} is flipped", "signature", _name)
    def _(scene: Scene, name: str = _name) -> bytes:
        document = json.loads(part(scene.new, name))
        sig = document["signatures"][0]["sig"]
        document["signatures"][0]["sig"] = ("1" if sig[0] == "0" else "0") + sig[1:]
        return replaced(scene.new, {name: json.dumps(document).encode()})

    @attack(f"{_name} is left out", "missing", _name)
    def _(scene: Scene, name: str = _name) -> bytes:
        return replaced(scene.new, {name: None})

    @attack(f"{_name} is not JSON", "malformed", _name)
    def _(scene: Scene, name: str = _name) -> bytes:
        return replaced(scene.new, {name: b"{"})

    @attack(f"{_name} is JSON a hundred thousand deep", "malformed", _name)
    def _(scene: Scene, name: str = _name) -> bytes:
        return replaced(scene.new, {name: b"[" * 10_000})

    @attack(f"{_name} expired before it was issued", "expired", _name)
    def _(scene: Scene, name: str = _name) -> bytes:
        role = name.removesuffix(".json")
        if name in (TARGETS, GROUP):
            return next_issue(scene, name, set_(expires=scene.office.now - DAY), scene.take(role))
        packed = forged_in(scene.last, SNAPSHOT, snapshot_of(), scene.take("snapshot"))
        packed = forged_in(packed, TIMESTAMP, shifted(1, 1), scene.take("timestamp"))
        return forged_in(packed, name, set_(expires=scene.office.now - DAY), scene.take(role))


@attack("the signature of another file stands under the timestamp", "signature", TIMESTAMP)
def _(scene: Scene) -> bytes:
    document = json.loads(part(scene.new, TIMESTAMP))
    document["signatures"] = json.loads(part(scene.new, SNAPSHOT))["signatures"]
    return replaced(scene.new, {TIMESTAMP: json.dumps(document).encode()})


@attack("a stranger's signature carries the id of the office's key", "signature", TIMESTAMP)
def _(scene: Scene) -> bytes:
    document = json.loads(forged(part(scene.new, TIMESTAMP), nothing, scene.stranger))
    document["signatures"][0]["keyid"] = scene.take("timestamp").public.keyid
    return replaced(scene.new, {TIMESTAMP: json.dumps(document).encode()})


@attack("the snapshot is served as the timestamp", "malformed", TIMESTAMP)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {TIMESTAMP: part(scene.new, SNAPSHOT)})


@attack("the online key signs for the targets", "signature", TARGETS)
def _(scene: Scene) -> bytes:
    return next_issue(scene, TARGETS, nothing, scene.take("timestamp"))


@attack("the online key signs for the group", "signature", GROUP)
def _(scene: Scene) -> bytes:
    return next_issue(scene, GROUP, nothing, scene.take("timestamp"))


@attack("another group's key signs for this group", "signature", GROUP)
def _(scene: Scene) -> bytes:
    return next_issue(scene, GROUP, nothing, scene.take("group-south"))


@attack("the targets key signs the snapshot", "signature", SNAPSHOT)
def _(scene: Scene) -> bytes:
    return forged_in(scene.new, SNAPSHOT, nothing, scene.take("targets"))


@attack("a stranger raises the timestamp's version to the end of all numbers", "signature", TIMESTAMP)
def _(scene: Scene) -> bytes:
    return forged_in(scene.new, TIMESTAMP, set_(version=2**62), scene.stranger)


@attack("a version is no number", "malformed", TIMESTAMP)
def _(scene: Scene) -> bytes:
    document = json.loads(part(scene.new, TIMESTAMP))
    document["signed"]["version"] = "x"
    return replaced(scene.new, {TIMESTAMP: json.dumps(document).encode()})


# Rollback and replay, of each role.


@attack("the group's first bundle is replayed", "rollback", TIMESTAMP)
def _(scene: Scene) -> bytes:
    return scene.old


@attack("the stolen online key signs an old timestamp again as if it were new", "rollback", TIMESTAMP)
def _(scene: Scene) -> bytes:
    issued = told(issued=(scene.office.now + DAY).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return forged_in(scene.old, TIMESTAMP, issued, scene.take("timestamp"))


@attack("the stolen online key points a new timestamp at an old snapshot", "rollback", TIMESTAMP)
def _(scene: Scene) -> bytes:
    return forged_in(scene.last, TIMESTAMP, shifted(1, -1), scene.take("timestamp"))


@attack("the stolen online key takes the group back to its old text", "rollback", SNAPSHOT)
def _(scene: Scene) -> bytes:
    packed = replaced(scene.old, {TARGETS: part(scene.last, TARGETS), SNAPSHOT: part(scene.last, SNAPSHOT)})
    packed = forged_in(packed, SNAPSHOT, snapshot_of(group_north=1), scene.take("snapshot"))
    packed = replaced(packed, {TIMESTAMP: part(scene.last, TIMESTAMP)})
    return forged_in(packed, TIMESTAMP, shifted(1, 1), scene.take("timestamp"))


@attack("the stolen online key takes the delegations back", "rollback", SNAPSHOT)
def _(scene: Scene) -> bytes:
    packed = replaced(scene.last, {TARGETS: part(scene.old, TARGETS)})
    packed = forged_in(packed, SNAPSHOT, snapshot_of(targets=2), scene.take("snapshot"))
    return forged_in(packed, TIMESTAMP, shifted(1, 1), scene.take("timestamp"))


@attack("the stolen online key drops a group from the snapshot", "dropped", SNAPSHOT)
def _(scene: Scene) -> bytes:
    def drop(signed: Any) -> None:
        signed.version += 1
        del signed.meta["group-south.json"]

    packed = forged_in(scene.last, SNAPSHOT, drop, scene.take("snapshot"))
    return forged_in(packed, TIMESTAMP, shifted(1, 1), scene.take("timestamp"))


@attack("the same version of the timestamp says something else", "changed", TIMESTAMP)
def _(scene: Scene) -> bytes:
    return forged_in(scene.last, TIMESTAMP, told(note="x"), scene.take("timestamp"))


@attack("the same version of the snapshot says something else", "changed", SNAPSHOT)
def _(scene: Scene) -> bytes:
    return forged_in(scene.last, SNAPSHOT, told(note="x"), scene.take("snapshot"))


@attack("the same version of the targets says something else", "changed", TARGETS)
def _(scene: Scene) -> bytes:
    return forged_in(scene.last, TARGETS, told(note="x"), scene.take("targets"))


@attack("the stolen group key signs another text under the same version", "damaged", TEXT)
def _(scene: Scene) -> bytes:
    text = b"policy: {hold_s: 1}\n"

    def other(signed: Any) -> None:
        info = TargetFile.from_data(TEXT, text, ["sha256"])
        info.unrecognized_fields = signed.targets[TEXT].unrecognized_fields
        signed.targets[TEXT] = info

    return replaced(forged_in(scene.last, GROUP, other, scene.take("group-north")), {TEXT: text})


@attack("the same version of the group's role says something else", "changed", GROUP)
def _(scene: Scene) -> bytes:
    return forged_in(scene.last, GROUP, told(note="x"), scene.take("group-north"))


# Mix and match.


@attack("a new timestamp comes with the old snapshot", "mixed", SNAPSHOT)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {SNAPSHOT: part(scene.last, SNAPSHOT)})


@attack("a new snapshot comes with the old delegations", "mixed", TARGETS)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {TARGETS: part(scene.last, TARGETS)})


@attack("a new snapshot comes with the group's old role", "mixed", GROUP)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {GROUP: part(scene.last, GROUP)})


@attack("the group's new role comes with the old text", "damaged", TEXT)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {TEXT: part(scene.last, TEXT)})


@attack("the snapshot is not the one the timestamp has the length of", "mixed", SNAPSHOT)
def _(scene: Scene) -> bytes:
    def measured(signed: Any) -> None:
        shifted(1, 1)(signed)
        signed.snapshot_meta.hashes = {"sha256": "0" * 64}

    packed = forged_in(scene.last, SNAPSHOT, snapshot_of(), scene.take("snapshot"))
    return forged_in(packed, TIMESTAMP, measured, scene.take("timestamp"))


# Freeze, and what a clock can do.


@attack(
    "newer software meets a bundle that expired before it was built",
    "expired",
    TIMESTAMP,
    built_at=datetime.datetime(2027, 6, 1, tzinfo=datetime.UTC),
)
def _(scene: Scene) -> bytes:
    return scene.last


@attack(
    "software built after the root's term meets the office's bundle",
    "expired",
    "root.json",
    built_at=datetime.datetime(2033, 1, 1, tzinfo=datetime.UTC),
)
def _(scene: Scene) -> bytes:
    return scene.last


@attack("the stolen online key says that it is 2099, so that everything later would be too old", "expired", "root.json")
def _(scene: Scene) -> bytes:
    def far(signed: Any) -> None:
        signed.expires = datetime.datetime(2199, 1, 1, tzinfo=datetime.UTC)
        told(issued="2099-01-01T00:00:00Z")(signed)

    return forged_in(scene.new, TIMESTAMP, far, scene.take("timestamp"))


@attack("the timestamp does not say when it was issued", "no_issue_time")
def _(scene: Scene) -> bytes:
    return forged_in(scene.new, TIMESTAMP, told(issued=None), scene.take("timestamp"))


@attack("the issue time is no time", "no_issue_time")
def _(scene: Scene) -> bytes:
    return forged_in(scene.new, TIMESTAMP, told(issued="tomorrow"), scene.take("timestamp"))


# Keys lost, stolen, revoked.


def next_root(scene: Scene, change: Callable[[Any], None], *keys: OfficeKey) -> bytes:
    def one_on(signed: Any) -> None:
        signed.version += 1
        change(signed)

    return replaced(scene.last, {"2.root.json": forged(scene.office.repository.files["1.root.json"], one_on, *keys)})


def owned_by(key: OfficeKey) -> Callable[[Any], None]:
    """Whoever has this key is the county."""

    def change(signed: Any) -> None:
        for role in signed.roles.values():
            role.keyids, role.threshold = [key.public.keyid], 1
        signed.keys = {key.public.keyid: key.public}

    return change


@attack("one stolen root key of three signs a root of the thief's", "signature", "2.root.json")
def _(scene: Scene) -> bytes:
    return next_root(scene, owned_by(scene.stranger), scene.take("root"), scene.stranger)


@attack("one stolen root key signs a root that asks for one key only", "signature", "2.root.json")
def _(scene: Scene) -> bytes:
    return next_root(scene, lambda signed: setattr(signed.roles["root"], "threshold", 1), scene.take("root"))


@attack("one stolen root key signs twice", "malformed", "2.root.json")
def _(scene: Scene) -> bytes:
    packed = next_root(scene, nothing, scene.take("root"))
    document = json.loads(part(packed, "2.root.json"))
    document["signatures"] *= 2
    return replaced(packed, {"2.root.json": json.dumps(document).encode()})


@attack("the targets key and the online key sign a root", "signature", "2.root.json")
def _(scene: Scene) -> bytes:
    return next_root(scene, nothing, scene.take("targets"), scene.take("timestamp"))


@attack("two root keys hand the root to a key that does not sign it", "signature", "2.root.json")
def _(scene: Scene) -> bytes:
    return next_root(scene, owned_by(scene.stranger), scene.take("root", 0), scene.take("root", 1))


@attack("a root of the office's own says another version than its name", "root_version", "2")
def _(scene: Scene) -> bytes:
    return next_root(scene, set_(version=7), scene.take("root", 0), scene.take("root", 1))


@attack("the root in between is left out of the chain", "root_gap")
def _(scene: Scene) -> bytes:
    office = scene.office.as_it_is()
    office.rotates("online")
    office.rotates("online")
    return replaced(office.bundle(), {"2.root.json": None})


@attack("the root that the node has comes with other words", "changed", "1.root.json")
def _(scene: Scene) -> bytes:
    first = scene.office.repository.files["1.root.json"]
    root = forged(first, told(county="371600"), scene.take("root", 1), scene.take("root", 2))
    return replaced(scene.last, {"1.root.json": root})


@attack("a root key that was revoked signs the root after next", "signature", "3.root.json")
def _(scene: Scene) -> bytes:
    office = scene.office.as_it_is()
    revoked, kept = office.key("root", 0), office.key("root", 1)
    office.rotates("root", lost=revoked.public.keyid)
    third = forged(office.repository.files["2.root.json"], set_(version=3), revoked, kept)
    return replaced(office.bundle(), {"3.root.json": third})


for _role, _name in (("online", TIMESTAMP), ("online", SNAPSHOT), ("targets", TARGETS), ("north", GROUP)):

    @attack(f"the key of {_name} was revoked and signs all the same", "signature", _name)
    def _(scene: Scene, role: str = _role, name: str = _name) -> bytes:
        office = scene.office.as_it_is()
        revoked = office.key(name.removesuffix(".json"))
        office.rotates(role)
        return forged_in(office.bundle(), name, nothing, revoked)


# Whose bundle is it?


@attack("another group's bundle comes on this group's topic", "other_group", "group-south.json")
def _(scene: Scene) -> bytes:
    return scene.south


@attack("another group's bundle is renamed to this group's", "signature", GROUP)
def _(scene: Scene) -> bytes:
    renamed = {name.replace("south", "north"): data for name, data in unpack(scene.south).items()}
    newest = unpack(scene.new)
    return pack({**renamed, **{name: newest[name] for name in (TIMESTAMP, SNAPSHOT, TARGETS)}})


@attack("another group's text is slipped in", "other_group", "south/group.yaml")
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {"south/group.yaml": part(scene.south, "south/group.yaml")})


@attack("another county's bundle arrives", "other_county")
def _(scene: Scene) -> bytes:
    return scene.elsewhere.bundle("north")


@attack("another county's bundle says that it is this county's", "signature", TIMESTAMP)
def _(scene: Scene) -> bytes:
    return forged_in(scene.elsewhere.bundle("north"), TIMESTAMP, told(county=COUNTY), scene.elsewhere.key("timestamp"))


@attack("another node's patch is swapped for this node's", "damaged", OWN)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {OWN: part(scene.new, OTHERS), OTHERS: part(scene.new, OWN)})


@attack("another node's patch is copied under the name of a node that has none", "unlisted", "north/nodes/n0003.yaml")
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {"north/nodes/n0003.yaml": part(scene.new, OWN)})


@attack("the node's patch is left out, so that it would run without", "missing", OWN)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {OWN: None})


@attack("the group's text is left out", "missing", TEXT)
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {TEXT: None})


@attack("the group's key promises a text for another group", "missing", "south/group.yaml")
def _(scene: Scene) -> bytes:
    def promise(signed: Any) -> None:
        signed.targets["south/group.yaml"] = TargetFile.from_data("south/group.yaml", b"", ["sha256"])

    return next_issue(scene, GROUP, promise, scene.take("group-north"))


@attack("the group's key hands its say on to a stranger", "malformed", GROUP)
def _(scene: Scene) -> bytes:
    stranger = scene.stranger.public

    def delegate(signed: Any) -> None:
        role = DelegatedRole("group-stranger", [stranger.keyid], 1, terminating=True, paths=["north/nodes/*"])
        signed.delegations = Delegations({stranger.keyid: stranger}, {"group-stranger": role})

    packed = next_issue(scene, GROUP, delegate, scene.take("group-north"))
    return replaced(packed, {"north/nodes/n0003.yaml": b"policy: {hold_s: 1}\n"})


@attack("a file that has no place in a bundle comes along", "unexpected", "mirrors.json")
def _(scene: Scene) -> bytes:
    return replaced(scene.new, {"mirrors.json": b"{}"})


@attack("a text is for no wave", "bad_wave", TEXT)
def _(scene: Scene) -> bytes:
    def no_wave(signed: Any) -> None:
        del signed.targets[TEXT].unrecognized_fields["custom"]

    return next_issue(scene, GROUP, no_wave, scene.take("group-north"))


@attack("a wave is five times everyone", "bad_wave", TEXT)
def _(scene: Scene) -> bytes:
    def more(signed: Any) -> None:
        signed.targets[TEXT].unrecognized_fields["custom"]["permille"] = 5000

    return next_issue(scene, GROUP, more, scene.take("group-north"))


def with_files(scene: Scene, files: Mapping[str, Any]) -> bytes:
    """The stolen group key names larger files."""
    data = json.dumps(files).encode()

    def name_them(signed: Any) -> None:
        before = signed.targets[FILES]
        signed.targets[FILES] = TargetFile.from_data(FILES, data, ["sha256"])
        signed.targets[FILES].unrecognized_fields |= before.unrecognized_fields

    return replaced(next_issue(scene, GROUP, name_them, scene.take("group-north")), {FILES: data})


CLIP = {"sha256": "ab" * 32, "bytes": 1000, "urls": ["https://files.example.net/clip.wav"]}


@attack("a larger file would be written outside of its folder", "bad_files")
def _(scene: Scene) -> bytes:
    return with_files(scene, {"clips/../../trusted.json": CLIP})


@attack("a larger file is read from the node's own disk", "bad_files")
def _(scene: Scene) -> bytes:
    return with_files(scene, {"clips/left_vehicle.wav": {**CLIP, "urls": ["file:///etc/shadow"]}})


@attack("a larger file would fill the disk", "bad_files")
def _(scene: Scene) -> bytes:
    return with_files(scene, {"models/huge.onnx": {**CLIP, "bytes": 10**12}})


@attack("two hundred larger files are named", "bad_files")
def _(scene: Scene) -> bytes:
    return with_files(scene, {f"clips/c{number}.wav": CLIP for number in range(200)})


# What a parser is fed.


@attack("the timestamp never ends", "too_long", TIMESTAMP)
def _(scene: Scene) -> bytes:
    return forged_in(scene.new, TIMESTAMP, told(padding="x" * 20_000), scene.take("timestamp"))


@attack("a hundred megabytes arrive", "too_big")
def _(_scene: Scene) -> bytes:
    return bytes(100 * 1024 * 1024)


@attack("a hundred megabytes of zeros are packed into a hundred kilobytes", "bomb")
def _(_scene: Scene) -> bytes:
    return zlib.compress(bytes(100 * 1024 * 1024))


@attack("the bundle is not packed at all", "not_zlib")
def _(scene: Scene) -> bytes:
    return json.dumps({"format": FORMAT, "files": {}}).encode()


@attack("the bundle is empty", "cut_off")
def _(_scene: Scene) -> bytes:
    return b""


@attack("the stick was pulled out half way", "cut_off")
def _(scene: Scene) -> bytes:
    return scene.new[: len(scene.new) // 2]


@attack("something hangs on behind the bundle", "trailing")
def _(scene: Scene) -> bytes:
    return scene.new + b"x"


@attack("the bundle is JSON a hundred thousand deep", "too_deep")
def _(_scene: Scene) -> bytes:
    return raw("[" * 100_000)


@attack("the bundle is not UTF-8", "not_utf8")
def _(_scene: Scene) -> bytes:
    return zlib.compress(b'{"format": "\xff"}')


@attack("the bundle is not JSON", "not_json")
def _(_scene: Scene) -> bytes:
    return raw("format: sentinel-bundle-1")


@attack("a number in it has a hundred thousand digits", "not_json")
def _(_scene: Scene) -> bytes:
    return raw('{"format": ' + "9" * 100_000 + "}")


@attack("it is a bundle of a format of the future", "format")
def _(_scene: Scene) -> bytes:
    return raw('{"format": "sentinel-bundle-9", "files": {}}')


@attack("the timestamp is in the bundle twice", "duplicate_name", TIMESTAMP)
def _(_scene: Scene) -> bytes:
    return files('"timestamp.json": "a", "timestamp.json": "b"')


for _bad in ("../root.json", "/etc/passwd", "north/../../x", "north//x", "", ".hidden", "a\\b", "north/nodes/a/b"):

    @attack(f"a file is named {_bad!r}", "bad_name")
    def _(_scene: Scene, bad: str = _bad) -> bytes:
        return files(f'{json.dumps(bad)}: ""')


@attack("a text is half a character", "not_text")
def _(_scene: Scene) -> bytes:
    return files('"north/group.yaml": "\\ud800"')


@attack("a text is a list", "not_text")
def _(_scene: Scene) -> bytes:
    return files('"north/group.yaml": ["x"]')


@attack("ten thousand files come in one bundle", "too_many")
def _(_scene: Scene) -> bytes:
    return raw(json.dumps({"format": FORMAT, "files": {f"north/{n}": "" for n in range(MAX_FILES + 1)}}))


def everything_on(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))}


@pytest.mark.attack
@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case.sentence)
def test_an_attack_is_refused_by_its_name_and_leaves_no_trace(case: Attack, scene: Scene, node: pathlib.Path) -> None:
    packed = case.make(scene)
    before = everything_on(node)
    with pytest.raises(BundleError) as refused:
        verify(packed, node, NODE, built_at=case.built_at)
    assert refused.value.code == case.code, str(refused.value)
    named = {str(value) for value in refused.value.params.values()}
    assert case.names is None or case.names in {name.strip("'") for name in named}
    assert refused.value.message("zh") != refused.value.message("en")
    assert everything_on(node) == before

    applied = verify(scene.new, node, NODE)
    assert applied.group.text == "policy: {hold_s: 5}\n"
    assert applied.node is not None
    assert applied.node.text == PATCHES["n0001"]


def test_there_are_no_two_attacks_of_one_name_and_no_reason_that_no_attack_has() -> None:
    assert len({case.sentence for case in ATTACKS}) == len(ATTACKS)
    known = {*BundleError.messages, *Refused.messages} - {"unreadable", "trust_unreadable"}  # the node's own files
    assert {case.code for case in ATTACKS} == known
