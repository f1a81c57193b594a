"""The AsyncAPI document says what the models say, its examples are messages of the contract, and it is up to date."""

import json
import subprocess
import sys
from typing import Any

import pydantic
import pytest

from cloud_bridge.topics import Envelope, Leaf, NodeTopics
from device.events import EventKind
from tools.county import asyncapi, asyncapi_parser
from tools.county.messages import MESSAGES, NODE, Message

PAYLOADS = [(message, payload) for message in MESSAGES for payload in message.example_payloads()]


def test_the_page_is_the_one_that_the_models_make() -> None:
    assert asyncapi.PAGE.read_text(encoding="utf-8") == asyncapi.text(), "python -m tools.county.asyncapi"


def test_a_page_that_is_out_of_date_is_found(tmp_path: Any) -> None:
    command = [sys.executable, "-m", "tools.county.asyncapi", "--check", str(tmp_path / "asyncapi.yaml")]
    (tmp_path / "asyncapi.yaml").write_text(asyncapi.text().replace("qos: 1", "qos: 0"), encoding="utf-8")
    root = asyncapi.PAGE.parents[1]
    assert subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 1
    (tmp_path / "asyncapi.yaml").write_text(asyncapi.text(), encoding="utf-8")
    assert subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(("message", "payload"), PAYLOADS, ids=[f"{m.name}-{n}" for n, (m, _p) in enumerate(PAYLOADS)])
def test_every_example_is_a_message_of_the_contract(message: Message, payload: dict[str, Any]) -> None:
    envelope = Envelope.model_validate(payload)
    assert envelope.kind == message.kind
    fits = []
    for model in message.bodies:
        try:
            made = model.model_validate(envelope.body)
        except pydantic.ValidationError as error:
            fits.append(str(error))
        else:
            assert made.model_dump(mode="json", by_alias=True) == payload["body"], "every key is written out"
            return
    pytest.fail("\n".join(fits))


def test_every_shape_of_a_body_has_an_example() -> None:
    for message in MESSAGES:
        for model in message.bodies:
            adapter = pydantic.TypeAdapter(model)
            assert any(_is_of(adapter, example) for example in message.examples), f"{message.name}: {model.__name__}"


def _is_of(adapter: Any, example: Any) -> bool:
    try:
        adapter.validate_python(example)
    except pydantic.ValidationError:
        return False
    return True


def test_every_kind_of_event_and_every_topic_of_a_node_is_described() -> None:
    document = asyncapi.document()
    events = document["channels"]["event"]["messages"]
    assert set(events) == {f"event_{kind.value}" for kind in EventKind}
    assert document["channels"]["backlog"]["messages"] == events, "a backlog is the same events, late"
    topics = NodeTopics(NODE)
    county, node = NODE.split("/")
    addresses = {
        channel["address"].format(county=county, node=node): operation["bindings"]["mqtt"]["retain"]
        for key, channel in document["channels"].items()
        for operation in [document["operations"][f"send_{key}"]]
    }
    retained = {Leaf.PRESENCE: True, Leaf.HEALTH: True, Leaf.CONFIG_REPORTED: True}
    assert addresses == {topics.of(leaf): retained.get(leaf, False) for leaf in Leaf}


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = asyncapi.document()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for inner in value.values() for found in references(inner)]
        return [found for inner in value for found in references(inner)] if isinstance(value, list) else []

    found = references(document)
    assert len(found) > 50
    for reference in found:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_every_key_of_a_payload_is_explained_in_both_languages() -> None:
    for name, schema in asyncapi.document()["components"]["schemas"].items():
        for key, described in schema.get("properties", {}).items():
            assert " / " in described["description"], f"{name}.{key}"


def test_an_archive_that_is_not_the_known_one_is_refused(tmp_path: Any) -> None:
    archive = tmp_path / "parser.tgz"
    archive.write_bytes(b"somebody else's parser")
    with pytest.raises(asyncapi_parser.ParserError, match="SHA-512"):
        asyncapi_parser.unpacked(archive)


def test_the_official_parser_finds_a_fault_and_says_where(tmp_path: Any) -> None:
    if not asyncapi_parser.BUNDLE.exists():
        pytest.skip("needs node and the parser: make asyncapi")
    broken = tmp_path / "asyncapi.yaml"
    broken.write_text(asyncapi.text().replace("action: send", "action: sent"), encoding="utf-8")
    found = [json.loads(line) for line in asyncapi_parser.check(broken)]
    assert found and all("action" in line["where"] and line["line"] > 1 for line in found)
