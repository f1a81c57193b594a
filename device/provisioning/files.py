"""``{group}/files.json``: the larger files of a group, by name; what is too large for a bundle comes by hash.

    {"clips/left_vehicle.wav": {"sha256": "…", "bytes": 61484, "urls": ["https://files.example.net/371500/…"]}}

A name is where a node puts it: ``clips/{id}.wav`` is spoken in place of the bundled clip of that id, ``models/{file}``
is a model's manifest or a file beside it. Read alike at the office and on the node; fetches and writes nothing.

Invariants: what is named is bounded in number and size before a byte is fetched; a name is no way out of its folder; an
address is http or https and carries no password, for a bundle is no secret; one hash has one size.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Final

import pydantic

from device.provisioning.refusal import Refused

MAX_FILES: Final = 32
"""The six clips, and a model with its manifest and its files for a second runtime (four), several times over."""

MAX_CLIP_BYTES: Final = 1024 * 1024
"""Two seconds (``hal.speaker.clips.LONGEST_S``) of 48 kHz stereo are 384 kB."""

MAX_MODEL_BYTES: Final = 64 * 1024 * 1024
"""``models.manifest.MAX_WEIGHTS_BYTES``: what the detector would refuse need not come. Ours have 4 MB."""

MAX_TOTAL_BYTES: Final = 128 * 1024 * 1024
"""Of all files of a group, kept twice while a new set is on trial: 1 % of a 32 GB card each."""

CLIPS: Final = "clips/"
MODELS: Final = "models/"

# An address as a person writes it: host or [IPv6], perhaps a port, printable ASCII. No "@": it would carry a password.
_URL = r"^https?://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?/[!-?A-~]{0,300}$"

FileName = Annotated[
    str, pydantic.Field(pattern=r"^(clips/[a-z][a-z0-9_]{0,31}\.wav|models/[A-Za-z0-9][A-Za-z0-9._-]{0,99})$")
]


class Named(pydantic.BaseModel):
    """One file: which bytes, and where they can be had, the first address first."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    sha256: str = pydantic.Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = pydantic.Field(ge=1, le=MAX_MODEL_BYTES)
    urls: Annotated[tuple[Annotated[str, pydantic.Field(pattern=_URL)], ...], pydantic.Field(strict=False)] = (
        pydantic.Field(min_length=1, max_length=4)
    )


def _within_bounds(files: "Mapping[str, Named]") -> "Mapping[str, Named]":
    sizes: dict[str, int] = {}
    for name, named in files.items():
        if name.startswith(CLIPS) and named.bytes > MAX_CLIP_BYTES:
            raise ValueError(f"{name} has {named.bytes} bytes, a clip {MAX_CLIP_BYTES} at most")
        if sizes.setdefault(named.sha256, named.bytes) != named.bytes:
            raise ValueError(f"{name} has {named.bytes} bytes, and another file of the same hash {sizes[named.sha256]}")
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        raise ValueError(f"{sum(sizes.values())} bytes in all, {MAX_TOTAL_BYTES} at most")
    return files


Files = Annotated[dict[FileName, Named], pydantic.Field(max_length=MAX_FILES), pydantic.AfterValidator(_within_bounds)]
"""Name -> file; empty where the county has none for the group."""

_FILES: Final = pydantic.TypeAdapter[dict[str, Named]](Files)


def parse(text: str) -> dict[str, Named]:
    """The files that a ``files.json`` names. Raises Refused (``bad_files``)."""
    try:
        return _FILES.validate_json(text)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = " ".join(str(part) for part in first["loc"] if part != "[key]")
        raise Refused("bad_files", detail=f"{where[:140]}: {first['msg']}"[:300].removeprefix(": ")) from None


def hashes(files: Mapping[str, Named]) -> dict[str, str]:
    """Name -> SHA-256: what the files are, wherever they come from."""
    return {name: files[name].sha256 for name in sorted(files)}


def digest(files: Mapping[str, Named]) -> str:
    """SHA-256 of names and contents: another clip under a name is another set of files, another address is not."""
    return hashlib.sha256(json.dumps(hashes(files)).encode()).hexdigest()
