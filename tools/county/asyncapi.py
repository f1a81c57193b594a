"""Writes the contract for platforms as an AsyncAPI 3 document: ``python -m tools.county.asyncapi [--check] [PATH]``.

Invariants: made of the pydantic models and the table of messages alone, so it says what the code does; the same code
gives the same bytes. The application described is the node: what it ``send``s a platform subscribes to.
"""

import io
import json
import pathlib
from collections.abc import Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from cloud_bridge.mqtt import KEEPALIVE_S
from cloud_bridge.topics import ROOT, Envelope, Leaf
from tools.build import generated
from tools.county.messages import MESSAGES, Message

PAGE: Final = pathlib.Path(__file__).resolve().parents[2] / "docs" / "asyncapi.yaml"

VERSION: Final = "1"
"""Of the contract, the ``v`` of every envelope and of the topics."""

SCHEMAS: Final = "#/components/schemas/"
RETAINED: Final = (Leaf.PRESENCE, Leaf.HEALTH, Leaf.CONFIG_REPORTED)

CHANNELS: Final[Mapping[Leaf, str]] = {
    Leaf.PRESENCE: "在不在线 / whether the node is there",
    Leaf.HEALTH: "健康 / its health",
    Leaf.CONFIG_REPORTED: "正在用的配置 / the configuration it runs",
    Leaf.EVENT: "连线时发生的事件 / events as they happen",
    Leaf.BACKLOG: "断网期间攒下的同样的事件,限速补发 / the same events, kept over an outage and sent at a limited rate",
    Leaf.REPLY: "对办公室命令的回答 / answers to the office's commands",
}
"""Topics that a node publishes on and their meaning."""

DESCRIPTION: Final = """\
支路哨兵节点发给县平台的全部消息。这里的“应用”是节点:它 send 的,平台来订阅。说明见 platform.md。

Every message that a Branch Sentinel node sends to its county. The application described here is the node: subscribe to
what it sends. How to work with it: platform.md. This file is made by `python -m tools.county.asyncapi`.
"""


def document() -> dict[str, Any]:
    """The whole document as plain values."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "支路哨兵 · Branch Sentinel",
            "version": VERSION,
            "description": LiteralScalarString(DESCRIPTION),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"county": _server()},
        "channels": {_key(leaf): _channel(leaf, meaning) for leaf, meaning in CHANNELS.items()},
        "operations": {f"send_{_key(leaf)}": _operation(leaf) for leaf in CHANNELS},
        "components": {
            "parameters": {
                "county": {"description": "县的六位区划代码 / six digits of the county", "examples": ["371500"]},
                "node": {"description": "节点名 / the node's name, [a-z][a-z0-9_]{0,31}", "examples": ["n0001"]},
            },
            "securitySchemes": {
                "certificate": {
                    "type": "X509",
                    "description": "CN = 县/节点,或平台自己的名字 / CN = county/node, or a platform's own name",
                }
            },
            "messages": {message.name: _message(message) for message in MESSAGES},
            "schemas": _schemas(),
        },
    }


def text() -> str:
    """The document as it should stand in the file."""
    yaml = YAML()
    yaml.width = 120
    yaml.representer.ignore_aliases = lambda _value: True
    out = io.StringIO()
    yaml.dump(document(), out)
    return out.getvalue()


def _key(leaf: Leaf) -> str:
    return leaf.value.replace("/", "_")


def _address(leaf: Leaf) -> str:
    return f"{ROOT}/{{county}}/{{node}}/{leaf.value}"


def _server() -> dict[str, Any]:
    presence = next(message for message in MESSAGES if Leaf.PRESENCE in message.leaves)
    lost = next(payload for payload in presence.example_payloads() if payload["body"]["reason"] == "lost")
    return {
        "host": "{host}",
        "protocol": "secure-mqtt",
        "protocolVersion": "5.0",
        "description": "县里的 MQTT 5 服务器,双向 TLS / the county's MQTT 5 broker, mutual TLS",
        "variables": {
            "host": {"description": "主机:端口 / host:port", "default": "localhost:8883"},
        },
        "security": [{"$ref": "#/components/securitySchemes/certificate"}],
        "bindings": {
            "mqtt": {
                "cleanSession": True,
                "keepAlive": KEEPALIVE_S,
                "lastWill": {
                    "topic": _address(Leaf.PRESENCE),
                    "qos": 1,
                    "retain": True,
                    "message": json.dumps(lost),
                },
                "bindingVersion": "0.2.0",
            }
        },
    }


def _channel(leaf: Leaf, meaning: str) -> dict[str, Any]:
    return {
        "address": _address(leaf),
        "description": meaning,
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in ("county", "node")},
        "messages": {
            message.name: {"$ref": f"#/components/messages/{message.name}"}
            for message in MESSAGES
            if leaf in message.leaves
        },
    }


def _operation(leaf: Leaf) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{_key(leaf)}"},
        "bindings": {"mqtt": {"qos": 1, "retain": leaf in RETAINED, "bindingVersion": "0.2.0"}},
    }


def _message(message: Message) -> dict[str, Any]:
    bodies = [{"$ref": SCHEMAS + model.__name__} for model in message.bodies]
    return {
        "name": message.name,
        "title": message.zh,
        "summary": message.en,
        "contentType": "application/json",
        "payload": {
            "allOf": [
                {"$ref": SCHEMAS + Envelope.__name__},
                {
                    "type": "object",
                    "properties": {
                        "kind": {"const": message.kind},
                        "body": bodies[0] if len(bodies) == 1 else {"oneOf": bodies},
                    },
                },
            ]
        },
        "examples": [{"name": message.name, "payload": payload} for payload in message.example_payloads()],
    }


def _schemas() -> dict[str, Any]:
    models = {model.__name__: model for message in MESSAGES for model in message.bodies} | {"Envelope": Envelope}
    _, made = models_json_schema(
        [(model, "serialization") for model in models.values()], ref_template=SCHEMAS + "{model}"
    )
    return {name: _plain(schema) for name, schema in sorted(made["$defs"].items())}


def _plain(schema: Any) -> Any:
    """A schema without the titles that only repeat a key, and with each description on one line."""
    if isinstance(schema, list):
        return [_plain(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: _plain(inner) for name, inner in value.items()}
        elif key == "description":
            made[key] = " ".join(value.split())
        elif key != "title":
            made[key] = _plain(value)
    return made


def main() -> None:
    """Entry point; ``--check`` exits 1 when it is out of date."""
    generated.command("tools.county.asyncapi", __doc__, PAGE, lambda _before: text())


if __name__ == "__main__":
    main()
