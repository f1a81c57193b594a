"""``sentinel-county ca | enroll | replace | sign | revoke | broker``: who is let in. Thin: what it does is beside it.

Exit 0, or 2 with a line that says what is wrong; the authority is then as it was. Each verb may be repeated after it
was killed: the authority is kept first, in one step, and everything that leaves the office is written from it.
"""

import datetime
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from configs.files import write_atomically
from device.cli.common import Verb, VerbGroup, emit
from device.cli.language import _
from tools.county import NODE_OPTIONS
from tools.county.desk import ask_passphrase, now, told
from tools.county.folder import GROUPS, REGISTER, SITES, register

# What signs (tuf, cryptography) takes a good half second to import and is imported where it is used, not for --help.
if TYPE_CHECKING:
    from tools.county.ca.authority import Authority
    from tools.county.ca.certificates import PrivateKey

_FOLDER = click.Path(path_type=pathlib.Path, file_okay=False, exists=True)
_FILE = click.Path(path_type=pathlib.Path, dir_okay=False)

_ca = click.option(
    "--ca", "path", type=_FOLDER, required=True, help=_("The authority's folder; only its owner should read it.")
)
_county = click.option(
    "--folder", type=_FOLDER, default=pathlib.Path(), help=_("The county's folder; this one unless told.")
)
_repository = click.option(
    "--repository", type=_FILE, required=True, help=_("The county's repository of signed things, one file.")
)

Change = Callable[["Authority", "PrivateKey", datetime.datetime], "Authority"]


@click.group("ca", cls=VerbGroup, without=NODE_OPTIONS, help=_("The county's certificate authority."))
def ca() -> None:
    """Only a group."""


@ca.command("init", cls=Verb, without=NODE_OPTIONS, help=_("Make the authority of a county."))
@click.argument("county", metavar="COUNTY")
@_ca
@click.option("--broker", required=True, metavar="mqtts://HOST:PORT", help=_("Where the nodes of the county connect."))
def init(county: str, path: pathlib.Path, broker: str) -> None:
    """Refuses where one is already."""
    from tools.county.ca import authority
    from tools.county.ca.enrol import check_place

    with told(), authority.locked(path):
        check_place(county, broker)
        made = authority.create(path, county, broker, ask_passphrase, now())
    emit({"ok": True, **_account(made)}, _lines(made))


@ca.command("show", cls=Verb, without=NODE_OPTIONS, help=_("List the certificates that count, and until when."))
@_ca
def show(path: pathlib.Path) -> None:
    """Reads alone."""
    from tools.county.ca import authority

    with told():
        found = authority.load(path)
    emit({"ok": True, **_account(found)}, _lines(found))


@ca.command("office", cls=Verb, without=NODE_OPTIONS, help=_("Make the office's own key and certificate, anew."))
@_ca
def office(path: pathlib.Path) -> None:
    """The one before no longer counts."""
    from tools.county.ca import broker

    with told():
        pairs: list[bytes] = []

        def change(before: "Authority", key: "PrivateKey", moment: datetime.datetime) -> "Authority":
            after, pair = broker.certify_office(before, key, moment)
            pairs.append(pair)
            return after

        _change(path, change)
        out = path / f"{broker.OFFICE}.pem"
        broker.write_pair(out, pairs[0])
    emit({"ok": True, "file": str(out)}, _("{file}: for programs of the office at the broker.").format(file=out))


@click.command("enroll", cls=Verb, without=NODE_OPTIONS, help=_("Make the one-time package with which a node joins."))
@click.argument("node", metavar="ID")
@click.option("--group", required=True, help=_("The node's group."))
@_ca
@_repository
@_county
@click.option("--out", type=_FILE, help=_("The file to write; ID.package unless told."))
def enroll(
    node: str, group: str, path: pathlib.Path, repository: pathlib.Path, folder: pathlib.Path, out: pathlib.Path | None
) -> None:
    """A node that has a certificate is for ``replace``."""
    from tools.county.ca.errors import CaError

    with told():
        _make_package(path, repository, folder, node, group, out, CaError("enrolled", node=node))


@click.command(
    "replace",
    cls=Verb,
    without=NODE_OPTIONS,
    help=_("Make a package for a node that is to get another certificate; the one it has counts until then."),
)
@click.argument("node", metavar="ID")
@_ca
@_repository
@_county
@click.option("--out", type=_FILE, help=_("The file to write; ID.package unless told."))
def replace(
    node: str, path: pathlib.Path, repository: pathlib.Path, folder: pathlib.Path, out: pathlib.Path | None
) -> None:
    """In the group that the register says."""
    from tools.county.ca.errors import CaError

    with told():
        group = register(folder)[1].get(node)
        if group is None:
            raise CaError("not_registered", node=node, file=folder / REGISTER)
        _make_package(path, repository, folder, node, group, out, None)


@click.command("sign", cls=Verb, without=NODE_OPTIONS, help=_("Answer a node's REQUEST with its certificate."))
@click.argument("request", metavar="REQUEST", type=_FILE)
@_ca
@_county
@click.option("--out", type=_FILE, help=_("The file to write; beside the request, .answer, unless told."))
def sign(request: pathlib.Path, path: pathlib.Path, folder: pathlib.Path, out: pathlib.Path | None) -> None:
    """Takes the node into the register, and its site file into the folder."""
    from device.provisioning import papers
    from tools.county.ca import enrol
    from tools.county.ca.errors import CaError

    with told():
        try:
            paper = papers.read(request)
        except ValueError as error:
            raise CaError("bad_request", detail=str(error)) from None
        if not isinstance(paper, papers.Request):
            raise CaError("bad_request", detail=paper.format)
        county, _group_of = register(folder)
        found: list[Any] = []

        def check(before: "Authority") -> None:
            _same_county(folder / REGISTER, county, before)
            found.append(enrol.given_for(before, paper, now()))

        def change(before: "Authority", key: "PrivateKey", moment: datetime.datetime) -> "Authority":
            after, answer = enrol.answer(before, found[0], paper, key, moment)
            found.append(answer)
            return after

        _change(path, change, check)
        given, answer = found
        (folder / SITES).mkdir(exist_ok=True)
        write_atomically(folder / SITES / f"{paper.node}.yaml", paper.site.encode(), mode=0o644)
        text = (folder / REGISTER).read_text(encoding="utf-8")
        text = enrol.registered(text, paper.node, given.group)
        write_atomically(folder / REGISTER, text.encode(), mode=0o644)
        out = out or request.with_suffix(".answer")
        write_atomically(out, papers.text(answer), mode=0o644)
    words = _(
        "{file}: the answer; {node} is in group {group}. Bring the broker up to date: sentinel-county broker config."
    )
    emit(
        {"ok": True, "file": str(out), "node": paper.place, "group": given.group},
        words.format(file=out, node=paper.place, group=given.group),
    )


@click.command("revoke", cls=Verb, without=NODE_OPTIONS, help=_("End a node's certificate, and its packages."))
@click.argument("node", metavar="ID")
@_ca
def revoke(node: str, path: pathlib.Path) -> None:
    """The broker hears of it by ``broker config`` and a restart."""
    from tools.county.ca import enrol

    with told():
        _change(path, lambda before, key, moment: enrol.expel(before, node, key, moment))
    words = _("{node} is revoked. Bring the broker up to date (sentinel-county broker config) and restart it.")
    emit({"ok": True, "node": node}, words.format(node=node))


@click.group("broker", cls=VerbGroup, without=NODE_OPTIONS, help=_("The county's Mosquitto."))
def broker() -> None:
    """Only a group."""


@broker.command(
    "config", cls=Verb, without=NODE_OPTIONS, help=_("Write Mosquitto's configuration, rights and certificates to DIR.")
)
@click.argument("target", metavar="DIR", type=_FOLDER)
@_ca
@_county
def config(target: pathlib.Path, path: pathlib.Path, folder: pathlib.Path) -> None:
    """Asks for the authority's key only where the broker needs another certificate."""
    from tools.county.ca import authority
    from tools.county.ca import broker as mosquitto

    with told():
        county, group_of = register(folder)
        found = authority.load(path)
        _same_county(folder / REGISTER, county, found)
        if not mosquitto.serves(target, found, now()):
            pairs: list[bytes] = []

            def change(before: "Authority", key: "PrivateKey", moment: datetime.datetime) -> "Authority":
                after, pair = mosquitto.certify_broker(before, key, moment)
                pairs.append(pair)
                return after

            found = _change(path, change)
            mosquitto.write_pair(target / mosquitto.BROKER_FILE, pairs[0])
        mosquitto.write(target, found, group_of)
    words = _("{folder}: for {broker}, {count} nodes. Restart Mosquitto; after an enrolment alone, reload it (SIGHUP).")
    emit(
        {"ok": True, "folder": str(target), "broker": found.broker, "nodes": len(group_of)},
        words.format(folder=target, broker=found.broker, count=len(group_of)),
    )


def _make_package(
    path: pathlib.Path,
    repository: pathlib.Path,
    folder: pathlib.Path,
    node: str,
    group: str,
    out: pathlib.Path | None,
    if_enrolled: Exception | None,
) -> None:
    from device.provisioning import papers
    from tools.county.ca import authority, enrol
    from tools.county.ca.errors import CaError
    from tools.county.trust import repository as trust

    signed = trust.load(repository)
    root = signed.files[f"{signed.root_version}.root.json"].decode("utf-8")
    county, _group_of = register(folder)
    with authority.locked(path):
        before = authority.load(path)
        _same_county(folder / REGISTER, county, before)
        _same_county(repository, signed.county, before)
        if not (folder / GROUPS / f"{group}.yaml").exists():
            raise CaError("no_group", group=group, file=folder / GROUPS / f"{group}.yaml")
        if if_enrolled is not None and before.live(f"{before.county}/{node}"):
            raise if_enrolled
        after, package = enrol.package(before, node, group, root, now())
        authority.save(path, after)
        out = out or pathlib.Path(f"{node}.package")
        write_atomically(out, papers.text(package), mode=0o600)
    words = _("{file}: for {node}, good for one certificate until {until}. Fingerprint: {fingerprint}")
    emit(
        {"ok": True, "file": str(out), "node": package.place, "fingerprint": package.fingerprint},
        words.format(file=out, node=package.place, until=after.packages[-1].until, fingerprint=package.fingerprint),
    )


def _change(path: pathlib.Path, act: Change, check: "Callable[[Authority], None]" = lambda before: None) -> "Authority":
    """One change of the authority. ``check`` refuses before anybody is asked for a passphrase."""
    from tools.county.ca import authority

    with authority.locked(path):
        before = authority.load(path)
        check(before)
        moment = now()
        authority.check_clock(moment)
        after = act(before, authority.open_key(path, ask_passphrase), moment)
        authority.save(path, after)
    return after


def _same_county(file: pathlib.Path, county: str, found: "Authority") -> None:
    from tools.county.ca.errors import CaError

    if county != found.county:
        raise CaError("other_county", file=file, value=county, wanted=found.county)


def _account(found: "Authority") -> dict[str, Any]:
    counting = [one for one in found.certified if one.revoked is None]
    return {
        "county": found.county,
        "broker": found.broker,
        "certificates": [{"name": one.name, "until": one.until} for one in counting],
        "revoked": len(found.certified) - len(counting),
        "packages": [
            {"node": one.node, "until": one.until} for one in found.packages if one.serial is None and not one.void
        ],
    }


def _lines(found: "Authority") -> str:
    account = _account(found)
    lines = [f"{found.county}  {found.broker}"]
    lines += [_("  {name}: until {until}").format(**one) for one in account["certificates"]]
    lines += [_("  {node}: package not used yet, until {until}").format(**one) for one in account["packages"]]
    return "\n".join([*lines, _("  revoked: {count}").format(count=account["revoked"])])
