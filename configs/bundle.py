"""The county's bundle as bytes: named texts in one file, the same on MQTT and on a USB stick.

A bundle is a mirror and nothing more: this module knows no key and believes nothing that it unpacks. Format: zlib over
JSON ``{"format": "sentinel-bundle-1", "files": {name: text}}``, every text to the byte as it was signed.

Invariants: size is bounded before, while and after unpacking, so that nothing a stranger sends costs more than
``MAX_UNPACKED_BYTES`` a few times over; a name is relative, plain ASCII and cannot leave its folder; each name comes
once; whatever is refused is refused with a code of ``MESSAGES``. ``unpack(pack(files)) == files``.
"""

import json
import pathlib
import re
import zlib
from collections.abc import Mapping
from typing import Any, ClassVar

from configs.errors import CodedError, Text

FORMAT = "sentinel-bundle-1"

MAX_PACKED_BYTES = 256 * 1024
"""The largest message a node takes. A group of 50 nodes, each with a patch of its own, packs to about 15 kB."""

MAX_UNPACKED_BYTES = 2 * 1024 * 1024
"""The most it may unpack to. Signed texts are mostly hexadecimal and pack to a half or a third, not to a thousandth."""

MAX_FILES = 2048
"""A county's thousand nodes in one group, a patch for each, and the metadata."""

MAX_NAME_CHARS = 128
"""``{group}/nodes/{node}.yaml`` with ids of 32 characters has 75."""

# Up to three parts, each of letters, digits, - and _, with single dots inside: no "..", no "/" at either end.
_PART = r"[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART}){{0,2}}")


class BundleError(CodedError):
    """A bundle is refused; the node stays as it is."""

    messages: ClassVar[Mapping[str, Text]] = {
        "too_big": Text(
            "配置包超过 {limit} 字节;请确认拿到的是县里发的包",
            "the bundle has more than {limit} bytes: is it the office's?",
        ),
        "unreadable": Text("配置包读不了:{detail}", "the bundle cannot be read: {detail}"),
        "not_zlib": Text("不是配置包(无法解压)", "this is no bundle: it does not unpack"),
        "cut_off": Text("配置包不完整,请重新取一份", "the bundle is cut off: fetch it again"),
        "trailing": Text("配置包后面多出 {size} 字节", "{size} bytes follow the bundle's end"),
        "bomb": Text("配置包解压后超过 {limit} 字节", "the bundle unpacks to more than {limit} bytes"),
        "not_utf8": Text("配置包不是 UTF-8 编码", "the bundle is not UTF-8"),
        "not_json": Text("配置包不是 JSON:{detail}", "the bundle is not JSON: {detail}"),
        "too_deep": Text("配置包嵌套太深", "the bundle is nested too deeply"),
        "duplicate_name": Text("配置包里「{name}」出现两次", "'{name}' is in the bundle twice"),
        "format": Text(
            "不是 {wanted} 格式的配置包(写的是 {value}),节点软件可能太旧",
            "this is no bundle of format {wanted} (it says {value}); the node's software may be too old",
        ),
        "too_many": Text("配置包里有 {count} 个文件,最多 {limit}", "{count} files in the bundle, at most {limit}"),
        "bad_name": Text("配置包里的文件名不允许:{name}", "a file name is not allowed in a bundle: {name}"),
        "not_text": Text("配置包里的「{name}」不是文本", "'{name}' in the bundle is not text"),
    }


def pack(files: Mapping[str, bytes]) -> bytes:
    """The bundle of these files (UTF-8 texts by name), the same bytes for the same files. Raises BundleError."""
    texts = {}
    for name, data in sorted(files.items()):
        try:
            texts[name] = data.decode("utf-8")
        except UnicodeDecodeError:
            raise BundleError("not_text", name=_shown(name)) from None
    document = json.dumps({"format": FORMAT, "files": texts}, ensure_ascii=False, separators=(",", ":"))
    packed = zlib.compress(document.encode("utf-8"), level=9)
    unpack(packed)  # what a node would refuse is told here, where someone can still do something about it
    return packed


def unpack(packed: bytes) -> dict[str, bytes]:
    """The files of a bundle by name. Raises BundleError; believes nothing of what it returns."""
    if len(packed) > MAX_PACKED_BYTES:
        raise BundleError("too_big", limit=MAX_PACKED_BYTES)
    document = _parse(_inflate(packed))
    if not isinstance(document, dict) or document.keys() != {"format", "files"} or document["format"] != FORMAT:
        said = document.get("format") if isinstance(document, dict) else None
        raise BundleError("format", wanted=FORMAT, value=_shown(said))
    texts = document["files"]
    if not isinstance(texts, dict):
        raise BundleError("format", wanted=FORMAT, value=FORMAT)
    if len(texts) > MAX_FILES:
        raise BundleError("too_many", count=len(texts), limit=MAX_FILES)
    return {name: _bytes(name, text) for name, text in texts.items()}


def read(path: pathlib.Path) -> bytes:
    """The bytes of a bundle's file, at most what a bundle may have. Raises BundleError."""
    try:
        with path.open("rb") as file:
            packed = file.read(MAX_PACKED_BYTES + 1)
    except OSError as error:
        raise BundleError("unreadable", detail=f"{path}: {error.strerror}") from None
    if len(packed) > MAX_PACKED_BYTES:
        raise BundleError("too_big", limit=MAX_PACKED_BYTES)
    return packed


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        document = inflater.decompress(packed, MAX_UNPACKED_BYTES + 1)
    except zlib.error:
        raise BundleError("not_zlib") from None
    if len(document) > MAX_UNPACKED_BYTES:
        raise BundleError("bomb", limit=MAX_UNPACKED_BYTES)
    if not inflater.eof:
        raise BundleError("cut_off")
    if inflater.unused_data:
        raise BundleError("trailing", size=len(inflater.unused_data))
    return document


def _parse(document: bytes) -> Any:
    try:
        return json.loads(document.decode("utf-8"), object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise BundleError("not_utf8") from None
    except RecursionError:
        raise BundleError("too_deep") from None
    except BundleError:
        raise
    except ValueError as error:  # not JSON, or a number of more digits than int() takes
        raise BundleError("not_json", detail=str(error)[:80]) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BundleError("duplicate_name", name=_shown(name))
        found[name] = value
    return found


def _bytes(name: str, text: Any) -> bytes:
    if len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
        raise BundleError("bad_name", name=_shown(name))
    if not isinstance(text, str):
        raise BundleError("not_text", name=name)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # half a surrogate pair
        raise BundleError("not_text", name=name) from None


def _shown(value: Any) -> str:
    """A stranger's value, short and safe to print."""
    return ascii(value)[:40]
