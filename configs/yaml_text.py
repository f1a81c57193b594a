"""YAML as a tree that knows where everything stands in the text, so that problems name lines and edits touch one value.

Invariants: YAML 1.2 core values only (null, true/false, numbers, text); no tags, anchors, aliases, directives or
second documents; duplicate keys are refused; depth and size are capped before anything is built; a node's ``start``
and ``end`` are indices into the very text that was parsed.
"""

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

from configs.errors import ConfigError, Problem, both

MAX_BYTES = 256 * 1024
"""A junction's file is about 3 KiB; a parser must not be fed megabytes by mistake."""

MAX_DEPTH = 12
"""The deepest legal path (a calibration point's place in the picture) has 7 levels."""

# YAML 1.2.2, section 10.3.2 (core schema).
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclasses.dataclass(slots=True)
class Node:
    """One value of the file. ``children`` is keyed by text in a mapping and by index in a list."""

    kind: str  # "scalar", "map" or "list"
    line: int
    start: int
    end: int
    flow: bool = False
    block_text: bool = False
    value: Any = None
    key_column: int = 0
    key_end: int = 0
    children: dict[str | int, "Node"] = dataclasses.field(default_factory=dict)

    def plain(self) -> Any:
        """The value as plain Python."""
        if self.kind == "map":
            return {str(key): child.plain() for key, child in self.children.items()}
        if self.kind == "list":
            return [child.plain() for child in self.children.values()]
        return self.value


def parse(text: str, file: str = "") -> Node:
    """The tree of a YAML text whose top is a mapping. Raises ConfigError with file and line."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise ConfigError([Problem("too_big", file=file, allowed=both(f"≤ {MAX_BYTES // 1024} KiB"))])
    # Imported here: processes read compiled JSON and must not pay for a YAML parser.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        root = _Builder(file).build(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        detail = error.problem or error.context or "?"
        if "\t" in detail:
            detail = "tab (\\t); " + detail
        line = mark.line + 1 if mark is not None else None
        raise ConfigError([Problem("syntax", file=file, line=line, params={"detail": detail})]) from None
    except YAMLError as error:
        detail = " ".join(str(error).split())
        raise ConfigError([Problem("syntax", file=file, params={"detail": detail})]) from None
    return root


def parse_value(text: str, path: str = "") -> Any:
    """One value as YAML gives it (``4``, ``true``, ``[a, b]``, text). Raises ConfigError."""
    same_line = "\n" not in text or text.lstrip()[:1] in ("[", "{")
    return parse(f"value: {text}" if same_line else f"value:\n{text}", path).plain()["value"]


class _Builder:
    def __init__(self, file: str) -> None:
        self._file = file

    def build(self, events: Iterator[Any]) -> Node:
        root: Node | None = None
        stack: list[tuple[Node, Any]] = []  # open collection, and the event of a key that waits for its value
        documents = 0
        for event in events:
            name = type(event).__name__
            if name == "DocumentStartEvent":
                documents += 1
                if event.version is not None or event.tags:
                    raise self._error("directive", event)
                if documents > 1:
                    raise self._error("documents", event)
            elif name == "AliasEvent" or getattr(event, "anchor", None) is not None:
                raise self._error("anchor", event)
            elif name in ("MappingStartEvent", "SequenceStartEvent", "ScalarEvent"):
                if getattr(event, "tag", None) is not None:
                    raise self._error("tag", event, detail=str(event.tag))
                if stack and stack[-1][0].kind == "map" and stack[-1][1] is None:
                    if name != "ScalarEvent":
                        raise self._error("syntax", event, detail="a key must be a word")
                    stack[-1] = (stack[-1][0], event)
                    continue
                node = self._node(name, event)
                if stack:
                    self._attach(stack, node)
                else:
                    root = node
                if node.kind != "scalar":
                    stack.append((node, None))
                    if len(stack) > MAX_DEPTH:
                        raise self._error("too_deep", event, allowed=both(f"≤ {MAX_DEPTH}"))
            elif name in ("MappingEndEvent", "SequenceEndEvent"):
                node, _ = stack.pop()
                node.end = event.end_mark.index if node.flow else self._block_end(node)
        if root is None or root.kind != "map":
            line = root.line if root is not None else 1
            raise ConfigError(
                [Problem("syntax", file=self._file, line=line, params={"detail": "key: value lines expected"})]
            )
        return root

    def _node(self, name: str, event: Any) -> Node:
        start, end, line = event.start_mark.index, event.end_mark.index, event.start_mark.line + 1
        if name == "MappingStartEvent":
            return Node("map", line, start, end, flow=bool(event.flow_style))
        if name == "SequenceStartEvent":
            return Node("list", line, start, end, flow=bool(event.flow_style))
        plain = event.style is None or event.style == ""
        value = self._scalar(event) if plain else event.value
        return Node("scalar", line, start, end, block_text=event.style in ("|", ">"), value=value)

    def _attach(self, stack: list[tuple[Node, Any]], node: Node) -> None:
        parent, key = stack[-1]
        if parent.kind == "list":
            parent.children[len(parent.children)] = node
            return
        stack[-1] = (parent, None)
        line = key.start_mark.line + 1
        if key.value in parent.children:
            first = parent.children[key.value].line
            params = {"key": key.value, "first_line": first}
            raise ConfigError([Problem("duplicate_key", file=self._file, line=line, path=key.value, params=params)])
        # An empty value has no place of its own: the parser puts it at the next token.
        if node.kind == "scalar" and node.start == node.end:
            node.start = node.end = key.end_mark.index
        node.line = line
        node.key_column = key.start_mark.column
        node.key_end = key.end_mark.index
        parent.children[key.value] = node

    @staticmethod
    def _block_end(node: Node) -> int:
        return max((child.end for child in node.children.values()), default=node.start)

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return bool(_TRUE.fullmatch(text))
        if _NOT_FINITE.fullmatch(text):
            raise self._error("not_finite", event, value=text)
        try:
            if _INT.fullmatch(text):
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            if _FLOAT.fullmatch(text):
                number = float(text)
                if not math.isfinite(number):
                    raise self._error("not_finite", event, value=text)
                return number
        except ConfigError:
            raise
        except ValueError:  # more digits than int() takes
            raise self._error("not_finite", event, value=text[:40]) from None
        return text

    def _error(self, code: str, event: Any, *, value: Any = None, allowed: Any = None, **params: Any) -> ConfigError:
        line = event.start_mark.line + 1
        fields: dict[str, Any] = {} if value is None else {"value": value}
        return ConfigError([Problem(code, file=self._file, line=line, allowed=allowed, params=params, **fields)])
