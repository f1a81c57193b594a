"""A real Mosquitto on a loopback port of its own, and a subscriber that keeps everything it hears.

Needs the Debian package ``mosquitto`` (and, for TLS, the program ``openssl``); a test that asks for one skips, saying
so, where it is missing.
"""

import dataclasses
import pathlib
import queue
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Sequence

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud_bridge.topics import Envelope, decode


def program(name: str, package: str) -> str:
    """Path of a program, also where Debian keeps daemons; skips the test where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"needs the program {name}: apt-get install {package}")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One broker. The port stays the same over restarts; ``persistent`` keeps its database."""

    def __init__(self, folder: pathlib.Path, extra: Sequence[str] = (), *, anonymous: bool = True) -> None:
        self._program = program("mosquitto", "mosquitto")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # started by root, the broker drops to its own user
        self._conf = folder / "mosquitto.conf"
        self._conf.write_text(
            "\n".join(
                [
                    "per_listener_settings false",
                    f"listener {self.port} 127.0.0.1",
                    f"allow_anonymous {str(anonymous).lower()}",
                    "persistence false",
                    "log_dest stderr",
                    f"user {'root' if folder.owner() == 'root' else folder.owner()}",
                    *extra,
                ]
            )
            + "\n"
        )

    def start(self) -> "Mosquitto":
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([self._program, "-c", str(self._conf)], stderr=log, stdout=log)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                assert self._process.poll() is None, (self._folder / "mosquitto.log").read_text()
                assert time.monotonic() < deadline, "mosquitto did not listen within 10 s"
                time.sleep(0.02)

    def stop(self) -> None:
        """Ends it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As if its machine had lost power."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Connections stay up and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def reload(self) -> None:
        """Has it read its files again, in a moment of its own."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> "Mosquitto":
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self._end(signal.SIGKILL)


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """One message as a subscriber got it."""

    topic: str
    retained: bool
    payload: bytes
    at_s: float

    @property
    def leaf(self) -> str:
        return self.topic.split("/", 4)[4]

    @property
    def envelope(self) -> Envelope:
        return decode(self.payload)


class Subscriber:
    """The county's side: subscribed to everything, surviving the broker's restarts, in order of arrival."""

    def __init__(
        self, port: int, *, topic: str = "sentinel/v1/#", tls: ssl.SSLContext | None = None, user: str | None = None
    ) -> None:
        self.heard: list[Heard] = []
        self._subscribed: queue.SimpleQueue[None] = queue.SimpleQueue()
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"county-{port}", protocol=MQTTProtocolVersion.MQTTv5
        )
        if tls is not None:
            client.tls_set_context(tls)
        if user is not None:
            client.username_pw_set(user, user)
        client.reconnect_delay_set(1, 1)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600

        def on_connect(*_args: object) -> None:
            client.subscribe(topic, options=SubscribeOptions(qos=1))

        def on_message(_c: object, _u: object, message: paho.MQTTMessage) -> None:
            self.heard.append(Heard(message.topic, message.retain, message.payload, time.monotonic()))

        client.on_connect = on_connect
        client.on_subscribe = lambda *_args: self._subscribed.put(None)
        client.on_message = on_message
        client.connect("localhost" if tls is not None else "127.0.0.1", port, properties=properties)
        client.loop_start()
        self._client = client
        self.wait_subscribed()

    def wait_subscribed(self) -> None:
        """Returns after the (next) subscription has been acknowledged."""
        self._subscribed.get(timeout=20)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Sends, in order, and does not wait for the broker."""
        self._client.publish(topic, payload, qos=1, retain=retain)

    def on(self, *leaves: str) -> list[Heard]:
        """What came on these leaves of a node's topics, in order."""
        return [heard for heard in list(self.heard) if heard.leaf in leaves]

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for: {what}"
            time.sleep(0.01)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclasses.dataclass(frozen=True, slots=True)
class Certificates:
    """A certificate authority of its own, a broker's certificate for ``localhost`` and clients' by common name."""

    folder: pathlib.Path

    @property
    def ca(self) -> pathlib.Path:
        return self.folder / "ca.pem"

    def of(self, name: str) -> tuple[pathlib.Path, pathlib.Path]:
        """(certificate, key) with this common name, signed by this authority; made when first asked for."""
        stem = self.folder / name.replace("/", "_")
        certificate, key, request = (stem.with_suffix(suffix) for suffix in (".pem", ".key", ".csr"))
        if not certificate.exists():
            # An escaped slash: openssl splits the subject at plain ones.
            subject = "/CN=" + name.replace("/", "\\/")
            _openssl("req", "-new", *_KEY, "-keyout", str(key), "-out", str(request), "-subj", subject)
            extensions = stem.with_suffix(".ext")
            extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
            _openssl(
                *("x509", "-req", "-in", str(request), "-out", str(certificate), "-days", "3650"),
                *("-CA", str(self.ca), "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial"),
                *("-extfile", str(extensions)),
            )
        return certificate, key

    @staticmethod
    def make(folder: pathlib.Path) -> "Certificates":
        folder.mkdir(parents=True)
        _openssl(
            *("req", "-x509", *_KEY, "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")),
            *("-subj", f"/CN=authority {folder.name}", "-days", "3650"),
        )
        return Certificates(folder)


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: str) -> None:
    done = subprocess.run([program("openssl", "openssl"), *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
