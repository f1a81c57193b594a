"""Writes an example of every message into the platform page: ``python -m tools.county.examples [--check] [PATH]``.

Invariant: the section is made of the same table as ``docs/asyncapi.yaml``; the rest of the page is left as it is.
"""

import json
import pathlib
from typing import Final

from tools.bench.marked import put
from tools.build import generated
from tools.county.messages import MESSAGES

PAGE: Final = pathlib.Path(__file__).resolve().parents[2] / "docs" / "platform.md"
SECTION: Final = "examples"

HEAD: Final = """## 每种消息的例子 · An example of each message

`body` 的内容;每个键的意思在 asyncapi.yaml。The contents of `body`; what each key means is in asyncapi.yaml. 这一节由
`make docs` 生成 · this section is made by `make docs`.
"""


def section() -> str:
    """The section as it should be."""
    parts = [HEAD]
    for message in MESSAGES:
        where = "、".join(f"`{leaf.value}`" for leaf in message.leaves)
        bodies = "\n".join(json.dumps(body, ensure_ascii=False) for body in message.examples)
        parts.append(f"**{message.kind}** ({where}) {message.zh} · {message.en}\n\n```json\n{bodies}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Entry point; ``--check`` exits 1 when it is out of date."""
    generated.command("tools.county.examples", __doc__, PAGE, lambda before: put(before, SECTION, section()))


if __name__ == "__main__":
    main()
