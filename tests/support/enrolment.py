"""The office's desk and the poles, each at their command line, for tests of enrolling; and the county's broker."""

import json
import pathlib
import socket
from typing import Any

from click.testing import CliRunner
from cryptography import x509

from device.cli.app import cli as sentinel
from device.provisioning import enrolment
from tests.support.journals import wait_for
from tests.support.mosquitto import Mosquitto, free_port
from tests.support.office import COUNTY, Office
from tests.support.site_files import DESK
from tools.county.app import cli as sentinel_county
from tools.county.ca import authority
from tools.county.trust import repository

PASSPHRASE = "four words of the office"


class Desk:
    """A county's office: its folder, its authority, its repository, the folder of its broker."""

    def __init__(self, folder: pathlib.Path, county: str = COUNTY) -> None:
        self.folder, self.county = folder, county
        self.ca, self.broker_folder, self.files = folder / "ca", folder / "broker", folder / "county"
        for made in (self.ca, self.broker_folder, self.files / "groups"):
            made.mkdir(parents=True)
        self.port = free_port()
        (self.files / "register.yaml").write_text(f"county: {county}   # 聊城\nnodes:\n  # 从北到南\n")
        for group in ("north", "south"):
            (self.files / "groups" / f"{group}.yaml").write_text("# 还没有\n")
        self.repository = folder / "repository.json"
        repository.save(self.repository, Office(folder / "keys", county).repository)
        self.does("ca", "init", county, "--broker", f"mqtts://localhost:{self.port}", answers=2)

    def says(self, *words: str, answers: int = 1, county: bool = False, signed: bool = False) -> tuple[int, Any]:
        """Exit code and what a verb said, as JSON."""
        places = ["--ca", str(self.ca)]
        places += ["--folder", str(self.files)] if county else []
        places += ["--repository", str(self.repository)] if signed else []
        typed = f"{PASSPHRASE}\n" * answers
        result = CliRunner().invoke(sentinel_county, [*words, *places, "--json"], input=typed)
        assert result.exit_code in (0, 2), result.output
        return result.exit_code, json.loads(result.stdout)

    def does(self, *words: str, **where: Any) -> Any:
        code, said = self.says(*words, **where)
        assert code == 0, said
        return said

    def package(self, node: str, group: str = "north") -> pathlib.Path:
        out = self.folder / f"{node}.package"
        self.does("enroll", node, "--group", group, "--out", str(out), county=True, signed=True, answers=0)
        return out

    def another_package(self, node: str) -> pathlib.Path:
        out = self.folder / f"{node}.package"
        self.does("replace", node, "--out", str(out), county=True, signed=True, answers=0)
        return out

    def signs(self, request: pathlib.Path) -> pathlib.Path:
        return pathlib.Path(self.does("sign", str(request), county=True)["file"])

    def refuses(self, request: pathlib.Path) -> str:
        code, said = self.says("sign", str(request), county=True)
        assert code == 2
        return str(said.get("code") or said["problems"][0]["code"])

    def enrols(self, node: str, group: str = "north") -> "Pole":
        """A pole with everything done."""
        pole = Pole(self.folder / node, f"{self.county}/{node}")
        pole.joins(self, self.package(node, group))
        return pole

    def authority(self) -> authority.Authority:
        return authority.load(self.ca)

    def broker(self) -> "CountyBroker":
        """Mosquitto, with what the office wrote for it."""
        self.does("broker", "config", str(self.broker_folder), county=True)
        self.does("ca", "office")
        return CountyBroker(self)


class CountyBroker(Mosquitto):
    """Runs by the office's configuration, word for word; the only thing added is under whose name."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.folder / "mosquitto")
        self.port = desk.port
        own = self._conf.read_text().splitlines()
        user = next(line for line in own if line.startswith("user "))
        include = desk.folder / "mosquitto" / "conf.d"
        include.mkdir(exist_ok=True)
        (include / "county.conf").unlink(missing_ok=True)
        (include / "county.conf").symlink_to(desk.broker_folder / "mosquitto.conf")
        self._conf.write_text(f"{user}\nlog_dest stderr\ninclude_dir {include}\n")

    def start(self) -> "CountyBroker":
        """Both listeners are open, the nodes' and the office's."""
        super().start()
        wait_for(self._office_may_connect, "the office's listener")
        return self

    def _office_may_connect(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port + 1), timeout=1).close()
        except ConnectionRefusedError:
            return False
        return True


class Pole:
    """A node's folders, and somebody over SSH."""

    def __init__(self, folder: pathlib.Path, place: str) -> None:
        self.folder, self.place = folder, place
        self.site, self.state = folder / "site.yaml", folder / "state"
        self.state.mkdir(parents=True)
        self.site.write_text(DESK.replace("371500/n0009", place), encoding="utf-8")

    def says(self, file: pathlib.Path, *words: str) -> tuple[int, Any]:
        places = ["--config", str(self.site), "--state-dir", str(self.state), "--run-dir", str(self.folder / "run")]
        result = CliRunner().invoke(sentinel, ["enroll", str(file), *words, *places, "--json"])
        assert result.exit_code in (0, 2), result.output
        return result.exit_code, json.loads(result.stdout)

    def asks(self, package: pathlib.Path) -> pathlib.Path:
        """The request."""
        code, said = self.says(package, "--out", str(self.folder / "request"))
        assert code == 0, said
        return pathlib.Path(said["file"])

    def takes(self, answer: pathlib.Path) -> None:
        code, said = self.says(answer)
        assert code == 0, said

    def joins(self, desk: Desk, package: pathlib.Path) -> None:
        self.takes(desk.signs(self.asks(package)))

    def refuses(self, file: pathlib.Path) -> str:
        code, said = self.says(file)
        assert code == 2
        return str(said["code"])

    @property
    def county(self) -> pathlib.Path:
        return self.state / enrolment.FOLDER

    @property
    def pair(self) -> pathlib.Path:
        return self.county / enrolment.NODE_FILE

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.pair.read_bytes())
