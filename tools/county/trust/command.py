"""The office signs one command to one node; ``cloud_bridge.command_judge`` is the other end.

Invariants: nothing is signed that a node would refuse for its shape; the number is the millisecond of signing, so that
no office has to remember what another one said.
"""

import datetime
import json
from collections.abc import Mapping
from typing import Any

import pydantic

from cloud_bridge.command_payloads import ARGUMENTS, SEAL, Command, CommandVerb, SignedCommand
from device.provisioning.trusted import time_text
from tools.county.trust.errors import TrustError
from tools.county.trust.issue import COMMANDS
from tools.county.trust.keys import KeyRing
from tools.county.trust.repository import Repository


def sign_command(
    county: Repository,
    keys: KeyRing,
    node: str,
    verb: CommandVerb,
    args: Mapping[str, Any],
    now: datetime.datetime,
    counts_for: datetime.timedelta,
) -> tuple[int, bytes]:
    """(number, payload) of a command to ``node``, an id without its county. Raises TrustError."""
    named = county.targets.unrecognized_fields.get(COMMANDS)
    if named is None:
        raise TrustError("no_command_key")
    [key] = keys.enough(COMMANDS, [named["keyid"]], 1)
    try:
        arguments = ARGUMENTS[verb].model_validate(args)
        command = Command(
            node=f"{county.county}/{node}",
            seq=round(now.timestamp() * 1000),
            verb=verb,
            args=arguments.model_dump(mode="json"),
            issued=time_text(now),
            expires=time_text(now + counts_for),
        )
    except pydantic.ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(map(str, found["loc"]))
        raise TrustError("bad_command", verb=verb, detail=f"{where}: {found['msg']}") from None
    text = json.dumps(command.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
    signature = key.sign_bytes(SEAL + text.encode()).hex()
    sealed = SignedCommand(command=text, key=key.public.keyid, signature=signature)
    return command.seq, sealed.model_dump_json().encode()
