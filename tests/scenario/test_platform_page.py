"""docs/platform.md works as written: its broker settings and its rights in a real Mosquitto with mutual TLS, a node
that speaks, and every ``mosquitto_sub`` line on it."""

import os
import pathlib
import re
import subprocess
import threading
from collections.abc import Iterator

import pytest

from cloud_bridge.topics import decode
from device.journal import JournalWriter
from hal.clock import SYSTEM_CLOCK
from tests.support.county import FakeCore, Node, site
from tests.support.journals import alert
from tests.support.mosquitto import Certificates, Mosquitto, program
from tools.county import examples

pytestmark = pytest.mark.timeout(300)

PAGE = examples.PAGE.read_text(encoding="utf-8")
NODE = "371500/n0001"
PLATFORM = "platform-371500"


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


COMMANDS = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines() if line.strip()]


class Desk:
    """A county with one node that has two alerts a second, and a platform's configuration."""

    def __init__(self, folder: pathlib.Path) -> None:
        authority = Certificates.make(folder / "authority")
        certificate, key = authority.of("localhost")
        acl = folder / "acl"
        acl.write_text("".join(blocks("acl")), encoding="utf-8")
        acl.chmod(0o644)
        files = [f"cafile {authority.ca}", f"certfile {certificate}", f"keyfile {key}", f"acl_file {acl}"]
        settings = [line for block in blocks("conf") for line in block.splitlines()]
        assert "require_certificate true" in settings
        self.broker = Mosquitto(folder / "broker", [*files, *settings], anonymous=False)
        own = authority.of(PLATFORM)
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(folder)}
        (options,) = blocks("options")
        here = {
            "mqtt.example.net": "localhost",
            "8883": str(self.broker.port),
            "/etc/platform/ca.pem": str(authority.ca),
            "/etc/platform/platform.pem": str(own[0]),
            "/etc/platform/platform.key": str(own[1]),
        }
        for there, mine in here.items():
            assert there in options
            options = options.replace(there, mine)
        for client in ("mosquitto_sub", "mosquitto_pub"):
            (folder / client).write_text(options, encoding="utf-8")
        certificate, key = authority.of(NODE)
        bridge = {"ca_file": str(authority.ca), "cert_file": str(certificate), "key_file": str(key)}
        self.node = Node(folder / "node", site(self.broker.port, NODE, scheme="mqtts", **bridge))

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Runs a line of the page until it has shown one message, for 60 s at most."""
        limited = command.replace("mosquitto_sub ", "mosquitto_sub -W 60 " + ("" if " -C " in command else "-C 1 "), 1)
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", limited],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    program("mosquitto_sub", "mosquitto-clients")
    desk = Desk(tmp_path_factory.mktemp("desk"))
    with desk.broker:
        core = FakeCore(desk.node.run_dir, desk.node.config)
        journal = JournalWriter(desk.node.journal, SYSTEM_CLOCK)
        over = threading.Event()

        def road() -> None:
            n = 0
            while not over.wait(0.5):
                n += 1
                journal.append(alert(n))

        thread = threading.Thread(target=road, daemon=True)
        thread.start()
        with desk.node.bridge():
            yield desk
        over.set()
        thread.join()
        journal.close()
        core.close()


def test_the_page_has_its_commands() -> None:
    assert len(COMMANDS) >= 7 and all(command.startswith("mosquitto_sub ") for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_shows_a_message(desk: Desk, command: str) -> None:
    done = desk.run(command)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    payload = done.stdout[done.stdout.index("{") :].strip()
    envelope = decode(payload.encode())
    if " -F '%t" in command or " -v " in command:
        assert done.stdout.startswith(f"sentinel/v1/{NODE}/")
    wanted = {"presence": "presence", "health": "health", "reported": "config", "event": "alert", "backlog": "alert"}
    asked = re.search(r"/(\w+)'", command)
    assert asked is None or envelope.kind == wanted[asked.group(1)]


def test_a_platform_may_not_send(desk: Desk) -> None:
    topic = f"sentinel/v1/{NODE}/command/say"
    sent = subprocess.run(
        [program("mosquitto_pub", "mosquitto-clients"), "-q", "1", "-t", topic, "-m", "{}"],
        env=desk.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Not authorized" in sent.stdout + sent.stderr


def test_the_examples_on_the_page_are_those_of_the_contract() -> None:
    assert examples.section().strip() in PAGE, "python -m tools.county.examples"
