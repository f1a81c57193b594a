"""``sentinel-county command NODE VERB [KEY=VALUE…]``: signs one command, sends it, waits for the node's answer.

Exit 0 done, 1 refused or failed at the node, 2 bad input, 3 no answer: the node is offline, or did not get it in time.
The broker keeps a command for nobody: a node that is away never hears of it.
"""

import datetime
import json
import pathlib
import queue
import ssl
from collections.abc import Sequence
from typing import Any

import click

from cloud_bridge.command_payloads import CommandVerb, ReplyBody
from cloud_bridge.mqtt import NO_MATCHING_SUBSCRIBERS, address_of
from cloud_bridge.topics import Leaf, NodeTopics, decode
from device.cli.common import FAULT, NOT_RUNNING, Verb, emit, fail
from device.cli.language import _
from tools.county import NODE_OPTIONS
from tools.county.desk import broker_options, now_ms, told
from tools.county.trust.cli import keys_option, keys_ring, repository_option


@click.command(
    "command",
    cls=Verb,
    without=NODE_OPTIONS,
    help=_(
        "Ask one node to do something and wait for its answer: self_test, report, say clip=ID [speaker=ID], "
        "lamp_test lamp=ID shows=alert seconds=30, record seconds=60."
    ),
)
@click.argument("node")
@click.argument("verb", type=click.Choice([verb.value for verb in CommandVerb]))
@click.argument("arguments", metavar="[KEY=VALUE]...", nargs=-1)
@repository_option
@keys_option
@broker_options(required=False)
@click.option(
    "--wait", "wait_s", type=click.IntRange(1, 3600), default=30, show_default=True, help=_("Seconds to wait.")
)
@click.option("--print", "only_print", is_flag=True, help=_("Print the signed command and send nothing."))
def command(
    node: str,
    verb: str,
    arguments: Sequence[str],
    path: pathlib.Path,
    folders: Sequence[pathlib.Path],
    broker: str | None,
    ca: pathlib.Path | None,
    cert: pathlib.Path | None,
    wait_s: int,
    only_print: bool,
) -> None:
    """The command counts for as long as its answer is waited for."""
    from tools.county.trust import repository
    from tools.county.trust.command import sign_command

    with told():
        county = repository.load(path)
        topics = NodeTopics(f"{county.county}/{node}")
        life = datetime.timedelta(seconds=wait_s)
        seq, payload = sign_command(
            county, keys_ring(folders), node, CommandVerb(verb), dict(map(_pair, arguments)), now_ms(), life
        )
        if only_print:
            click.echo(payload.decode())
            return
        if broker is None:
            raise ValueError(_("--broker is needed, or --print"))
        reply = send(broker, ca, cert, topics, verb, payload, seq, wait_s)
    if reply is None:
        fail(NOT_RUNNING, _("{node}: no answer within {seconds} s").format(node=node, seconds=wait_s))
    said = reply.model_dump(mode="json")
    told_so = json.dumps(said, ensure_ascii=False)
    if reply.outcome != "done":
        fail(FAULT, told_so, said)
    emit(said, told_so)


def send(
    broker: str,
    ca: pathlib.Path | None,
    cert: pathlib.Path | None,
    topics: NodeTopics,
    verb: str,
    payload: bytes,
    seq: int,
    wait_s: float,
) -> ReplyBody | None:
    """Sends a command and returns its answer, None where none came in time. Raises OSError, ValueError.

    An answer without a number is taken for ours: the node does not say it of what it could not believe.
    """
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    answers: queue.SimpleQueue[ReplyBody | str | None] = queue.SimpleQueue()
    host, port, tls = address_of(broker)
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False)
    if tls:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert)
        client.tls_set_context(context)

    def on_connect(_c: Any, _u: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            answers.put(f"{broker}: {reason}")
        client.subscribe(topics.of(Leaf.REPLY), qos=1)

    def on_subscribe(_c: Any, _u: Any, _mid: int, reasons: list[ReasonCode], _properties: Any) -> None:
        if reasons[0].is_failure:
            answers.put(f"{topics.of(Leaf.REPLY)}: {reasons[0]}")
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = max(1, round(wait_s))
        client.publish(topics.command(verb), payload, qos=1, properties=properties)

    def on_publish(_c: Any, _u: Any, _mid: int, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            answers.put(f"{topics.command(verb)}: {reason}")
        elif reason.value == NO_MATCHING_SUBSCRIBERS:
            answers.put(None)

    def on_message(_c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        try:
            reply = ReplyBody.model_validate(decode(bytes(message.payload)).body)
        except ValueError:
            return  # of another version; ours may still come
        if reply.verb == verb and reply.command_seq in (None, seq):
            answers.put(reply)

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_publish = on_publish
    client.on_message = on_message
    client.connect(host, port)
    client.loop_start()
    try:
        answer = answers.get(timeout=wait_s)
    except queue.Empty:
        return None
    finally:
        client.disconnect()
        client.loop_stop()
    if isinstance(answer, str):
        raise ValueError(answer)
    return answer


def _pair(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"{text!r}: 应写成 KEY=VALUE / wanted: KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
