"""A county office's folder with a handful of nodes, for tests."""

import pathlib

from tests.support.site_files import DESK

BRIDGE = """\
bridge:
  url: mqtts://mqtt.example.net:8883
  ca_file: /etc/sentinel/tls/ca.pem
  cert_file: /etc/sentinel/tls/node.pem
  key_file: /etc/sentinel/tls/node.key
"""

GROUPS = {"n0001": "north", "n0002": "north", "n0003": "north", "n0004": "south", "n0010": "south"}


def site_text(node: str) -> str:
    """The site file of a node as commissioned: the desk's, under its own name."""
    return DESK.replace("371500/n0009", f"371500/{node}").replace("桌面路口", f"{node} 路口") + BRIDGE


def write(folder: pathlib.Path, changed: dict[str, str | None] | None = None) -> pathlib.Path:
    """The folder of five nodes in two groups. ``changed``: file -> another text, or None to leave it out."""
    files: dict[str, str | None] = {
        "register.yaml": "county: 371500\nnodes:\n" + "".join(f"  {n}: {g}\n" for n, g in GROUPS.items()),
        "fleet.yaml": "# 全县\nvoice: {lockout_s: 9}\n",
        "groups/north.yaml": "policy:\n  hold_s: 4\n",
        "groups/south.yaml": "# 还没有\n",
        "nodes/n0003.yaml": "policy: {hold_s: 6}   # 学校门口\n",
        **{f"sites/{node}.yaml": site_text(node) for node in GROUPS},
        **(changed or {}),
    }
    for name, text in files.items():
        if text is None:
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
