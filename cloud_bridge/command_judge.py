"""Is this the office's word to this node, now, for the first time? Nothing is acted on that does not pass here.

Trust: the public key for commands stands in the county's ``targets.json`` as the node verified it last (a field that
TUF does not read and the offline key signs). Invariants: every refusal has its own code; the number of a command is on
the disk before it is acted on, so that no crash lets it count twice; numbers rise for each key, a new key begins anew.

Time: at a synchronised clock a command counts from ``issued`` (less ``CLOCKS_APART``) to ``expires``. At any other
clock the node's time floor alone judges: who holds the network can then deliver one harmless command late, once, and
with it all before it are void. Refusing instead would leave a node without network time out of reach.
"""

import contextlib
import datetime
import json
import pathlib
from collections.abc import Mapping
from typing import ClassVar, Final

import pydantic

from cloud_bridge.command_payloads import ARGUMENTS, MAX_COMMAND_BYTES, SEAL, Command, SignedCommand
from cloud_bridge.topics import Payload
from configs.errors import CodedError, Text
from configs.files import write_atomically
from device.provisioning import trusted as trust
from device.provisioning.trusted import Trusted, parse_time
from hal.clock import NS_PER_S, Clock, ClockQuality

SEEN_FILE: Final = "command_seen.json"
LONGEST: Final = datetime.timedelta(hours=1)
CLOCKS_APART: Final = datetime.timedelta(minutes=5)
"""By how much the office's clock may be ahead of the node's."""


class CommandRefused(CodedError):
    """Not acted on. ``seq`` is known where the office signed for it."""

    seq: int | None = None
    messages: ClassVar[Mapping[str, Text]] = {
        "too_long": Text("命令超过 {limit} 字节", "the command has more than {limit} bytes"),
        "malformed": Text("命令格式不对:{detail}", "the command is not of the right form: {detail}"),
        "no_trust": Text("节点还没有县里的命令密钥", "the node has no key of its county for commands yet"),
        "unknown_key": Text("命令密钥是 {wanted},不是 {key}", "the key for commands is {wanted}, not {key}"),
        "signature": Text("签名不对", "the signature is wrong"),
        "other_node": Text("命令是给 {value} 的", "the command is for {value}"),
        "other_topic": Text("命令是 {value},却从 {topic} 来", "a command to {value} came by {topic}"),
        "retained": Text("命令不能是保留消息", "a command is never a retained message"),
        "too_lasting": Text("有效期最长 {limit}", "a command may count for {limit} at most"),
        "expired": Text("命令在 {expires} 过期(现在 {now})", "the command expired at {expires}; it is {now}"),
        "future": Text("命令在 {issued} 签发,现在是 {now}", "the command was issued at {issued} and it is {now}"),
        "replayed": Text("序号 {seq} 不大于 {last}", "number {seq} is not above {last}"),
        "seen_unreadable": Text(
            "{file} 读不了,分不清新旧:请在现场删掉它并换命令密钥",
            "{file} cannot be read, old and new cannot be told apart: change the key for commands and remove the file",
        ),
        "arguments": Text("参数不对:{detail}", "wrong arguments: {detail}"),
    }


def judge(
    payload: bytes, topic_verb: str, *, retained: bool, node: str, folder: pathlib.Path, clock: Clock
) -> tuple[Command, Payload]:
    """A command that may be acted on, with its arguments; its number is used up then. ``folder``: the county's.

    Raises CommandRefused, and OSError where the number cannot be kept.
    """
    sealed = _sealed(payload)
    try:
        trusted = trust.load(folder)
    except CodedError:
        raise CommandRefused("no_trust") from None
    _check_signature(sealed, trusted)
    try:
        command = Command.model_validate_json(sealed.command)
    except pydantic.ValidationError as error:
        raise CommandRefused("malformed", detail=_first(error)) from None
    try:
        _check(command, topic_verb, retained=retained, node=node, trusted=trusted, clock=clock)
        last = _last_seq(folder / SEEN_FILE, sealed.key)
        if command.seq <= last:
            raise CommandRefused("replayed", seq=command.seq, last=last)
        try:
            arguments = ARGUMENTS[command.verb].model_validate(command.args)
        except pydantic.ValidationError as error:
            raise CommandRefused("arguments", detail=_first(error)) from None
    except CommandRefused as refused:
        refused.seq = command.seq
        raise
    write_atomically(folder / SEEN_FILE, json.dumps({"key": sealed.key, "seq": command.seq}).encode())
    return command, arguments


def _sealed(payload: bytes) -> SignedCommand:
    if len(payload) > MAX_COMMAND_BYTES:
        raise CommandRefused("too_long", limit=MAX_COMMAND_BYTES)
    try:
        return SignedCommand.model_validate_json(payload)
    except pydantic.ValidationError as error:
        raise CommandRefused("malformed", detail=_first(error)) from None


def _check_signature(sealed: SignedCommand, trusted: Trusted) -> None:
    # Some 3 MB, and no node that is never asked anything needs them.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = json.loads(trusted.files["targets.json"])["signed"]["commands"]
        key_id, public = str(key["keyid"]), bytes.fromhex(key["public"])
        verifier = Ed25519PublicKey.from_public_bytes(public)
    except (KeyError, TypeError, ValueError):
        raise CommandRefused("no_trust") from None
    if sealed.key != key_id:
        raise CommandRefused("unknown_key", key=ascii(sealed.key), wanted=key_id)
    try:
        verifier.verify(bytes.fromhex(sealed.signature), SEAL + sealed.command.encode())
    except InvalidSignature:
        raise CommandRefused("signature") from None


def _check(command: Command, topic_verb: str, *, retained: bool, node: str, trusted: Trusted, clock: Clock) -> None:
    if command.node != node:
        raise CommandRefused("other_node", value=ascii(command.node))
    if command.verb != topic_verb:
        raise CommandRefused("other_topic", value=command.verb, topic=ascii(topic_verb)[:40])
    if retained:
        raise CommandRefused("retained")
    try:
        issued, expires = parse_time(command.issued), parse_time(command.expires)
    except ValueError as error:
        raise CommandRefused("malformed", detail=str(error)[:80]) from None
    if not datetime.timedelta(0) < expires - issued <= LONGEST:
        raise CommandRefused("too_lasting", limit=LONGEST)
    now = trusted.floor
    if clock.quality() is ClockQuality.SYNCED:
        now = max(now, datetime.datetime.fromtimestamp(clock.wall_ns() / NS_PER_S, datetime.UTC))
        if issued > now + CLOCKS_APART:
            raise CommandRefused("future", issued=command.issued, now=trust.time_text(now))
    if expires <= now:
        raise CommandRefused("expired", expires=command.expires, now=trust.time_text(now))


def _last_seq(path: pathlib.Path, key: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        try:
            seen = json.loads(path.read_bytes())
            seq = seen["seq"]
            if type(seq) is not int:
                raise TypeError(f"seq {seq!r}")
            return seq if seen["key"] == key else 0
        except (ValueError, TypeError, KeyError):
            raise CommandRefused("seen_unreadable", file=path) from None
    return 0


def _first(error: pydantic.ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"[:120]
