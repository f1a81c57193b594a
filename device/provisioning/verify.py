"""Is this bundle the county's newest word to this node? Either all of it is believed or none of it.

Invariants: ``judge`` reads no clock and writes nothing that stays; every refusal has its own code; a bundle is believed
only whole: each file in it is signed for, and each file signed for is in it. ``verify`` moves the node's trust forward
in one step, after everything was judged and before anything is staged; the same bundle again changes nothing.
"""

import dataclasses
import datetime
import json
import pathlib
import re
import tempfile
from collections.abc import Mapping

from tuf.api.exceptions import LengthOrHashMismatchError

from configs.bundle import unpack
from device.provisioning import trusted as trust
from device.provisioning.files import Named
from device.provisioning.files import parse as parse_files
from device.provisioning.refusal import Refused
from device.provisioning.trusted import BUILT_AT, ROOT, Trusted, parse_time
from device.provisioning.tuf_client import Client, root_version, says_the_same
from device.provisioning.wave import Wave, wave_of

_ROOT_NAME = re.compile(r"([1-9][0-9]{0,8})\.root\.json")


@dataclasses.dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a bundle must be for: six digits of the county, the node's group, the node's id without its county."""

    county: str
    group: str
    node: str


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """One signed text and the wave it is for."""

    text: str
    wave: Wave


@dataclasses.dataclass(frozen=True, slots=True)
class Verified:
    """The county's word to this node. ``node`` and ``files`` are none where the county signed none; ``named``: what
    ``files`` says.

    ``trusted`` is what the node believes from now on; ``version`` counts the county's issues.
    """

    group: Target
    node: Target | None
    files: Target | None
    named: Mapping[str, Named]
    version: int
    issued: datetime.datetime
    trusted: Trusted


def verify(packed: bytes, folder: pathlib.Path, to: Addressee, *, built_at: datetime.datetime = BUILT_AT) -> Verified:
    """Judges a bundle by the node's trust in ``folder`` and moves that forward.

    Raises BundleError, and OSError where the trust cannot be written; nothing has moved then.
    """
    before = trust.load(folder, built_at=built_at)
    found = judge(packed, before, to)
    if found.trusted != before:
        trust.save(folder, found.trusted)
    return found


def judge(packed: bytes, before: Trusted, to: Addressee) -> Verified:
    """What a bundle says to this node, given what the node believes. Raises BundleError (Refused among them)."""
    files = unpack(packed)
    role = role_of(to.group)
    _names(files, to.group, role)
    _chain(files, before.files[ROOT])
    county, version, issued = _claims(files)
    if county != to.county:
        raise Refused("other_county", value=county, wanted=to.county)
    # A claim still, but one that can only make the judgement harder; it is signed for once the timestamp is.
    moment = max(before.floor, issued)
    with tempfile.TemporaryDirectory(prefix="sentinel-trust-") as name:
        client = Client(pathlib.Path(name), before.files, files, role, moment)
        targets = {name: _target(client, name, files) for name in sorted(files) if "/" in name}
        group_name = f"{to.group}/group.yaml"
        if group_name not in targets:
            raise Refused("missing", name=group_name)
        for missing in sorted(client.listed() - targets.keys()):
            raise Refused("missing", name=missing)
        now = client.verified()
    larger = targets.get(f"{to.group}/files.json")
    named = {} if larger is None else parse_files(larger.text)
    own = f"{root_version(now[ROOT])}.root.json"
    for name, data in [*((name, now[name]) for name in client.names), (own, now[ROOT])]:
        if not says_the_same(name, files.get(name, data), data):
            raise Refused("changed", role=name)
    return Verified(
        group=targets[group_name],
        node=targets.get(f"{to.group}/nodes/{to.node}.yaml"),
        files=larger,
        named=named,
        version=version,
        issued=issued,
        trusted=Trusted(now, moment),
    )


def role_of(group: str) -> str:
    """Name of the role that signs for a group; never one of TUF's own, whatever the group is called."""
    return f"group-{group}"


def _names(files: Mapping[str, bytes], group: str, role: str) -> None:
    """Nothing in the bundle that has no place in it; a first word on whose bundle it is."""
    metadata = {"timestamp.json", "snapshot.json", "targets.json", f"{role}.json"}
    for name in sorted(files):
        if "/" in name:
            if not name.startswith(f"{group}/"):
                raise Refused("other_group", name=name, wanted=group)
        elif name not in metadata and not _ROOT_NAME.fullmatch(name):
            if name.startswith("group-"):
                raise Refused("other_group", name=name, wanted=group)
            raise Refused("unexpected", name=name)
    for name in sorted(metadata - files.keys()):
        raise Refused("missing", name=name)


def _chain(files: Mapping[str, bytes], root: bytes) -> None:
    """Newer roots come without a gap from the node's own: the library would stop at the gap without a word.

    Older ones, for nodes that slept longer, are not looked at.
    """
    have = root_version(root)
    newer = sorted(
        version for name in files if (match := _ROOT_NAME.fullmatch(name)) and (version := int(match[1])) > have
    )
    for wanted, version in enumerate(newer, have + 1):
        if version != wanted:
            raise Refused("root_gap", have=have, wanted=wanted)


def _claims(files: Mapping[str, bytes]) -> tuple[str, int, datetime.datetime]:
    """What the timestamp says of itself: county, version, issue time."""
    try:
        signed = json.loads(files["timestamp.json"])["signed"]
        county, version, issued = signed["county"], signed["version"], signed.get("issued")
        if not isinstance(county, str) or type(version) is not int:
            raise TypeError("county is text, version a whole number")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refused("malformed", role="timestamp.json", detail=f"{type(error).__name__}: {error}"[:120]) from None
    try:
        return county, version, parse_time(issued)
    except (ValueError, TypeError):
        raise Refused("no_issue_time") from None


def _target(client: Client, name: str, files: Mapping[str, bytes]) -> Target:
    info = client.target(name)
    if info is None:
        raise Refused("unlisted", name=name)
    try:
        info.verify_length_and_hashes(files[name])
    except LengthOrHashMismatchError:
        raise Refused("damaged", name=name) from None
    try:
        return Target(files[name].decode("utf-8"), wave_of(info.custom))
    except ValueError as error:
        raise Refused("bad_wave", name=name, detail=str(error)) from None
