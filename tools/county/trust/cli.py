"""``sentinel-county trust``: make the county's keys, sign, renew, rotate, look. Thin: what it does is in ``issue``.

Exit 0, or 2 with a line that says what is wrong; the repository is then as it was.
"""

import datetime
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from configs.files import write_atomically
from device.cli.common import Verb, VerbGroup, emit
from device.cli.language import _
from tools.county import NODE_OPTIONS
from tools.county.desk import ask_passphrase, now, told

# What signs (tuf, cryptography) takes a good half second to import and is imported where it is used, not for --help.
if TYPE_CHECKING:
    from tools.county.trust.keys import KeyRing
    from tools.county.trust.repository import Repository

_FILE = click.Path(path_type=pathlib.Path, dir_okay=False)
_FOLDER = click.Path(path_type=pathlib.Path, file_okay=False, exists=True)

repository_option = click.option(
    "--repository", "path", type=_FILE, required=True, help=_("The county's repository of signed things, one file.")
)
keys_option = click.option(
    "--keys",
    "folders",
    type=_FOLDER,
    multiple=True,
    required=True,
    help=_("Where keys are; several may be named, new ones go to the first."),
)


@click.group("trust", cls=VerbGroup, without=NODE_OPTIONS, help=_("The county's signature."))
def trust() -> None:
    """The verbs below."""


@trust.command("init", cls=Verb, without=NODE_OPTIONS, help=_("Make a county's keys and repository."))
@click.argument("county")
@repository_option
@keys_option
def init(county: str, path: pathlib.Path, folders: Sequence[pathlib.Path]) -> None:
    """Refuses where a repository is already."""
    from tools.county.trust import issue, repository
    from tools.county.trust.errors import TrustError

    with told(), repository.locked(path):
        if path.exists():
            raise TrustError("exists", file=path)
        made = issue.create(county, keys_ring(folders), now())
        repository.save(path, made)
        _show(made)


@trust.command(
    "sign",
    cls=Verb,
    without=NODE_OPTIONS,
    help=_("Sign what a group is told: FOLDER holds group.yaml, perhaps nodes/ID.yaml and files.json."),
)
@click.argument("group")
@click.argument("folder", type=_FOLDER)
@repository_option
@keys_option
@click.option("--salt", default="all", show_default=True, help=_("Salt of the wave: another one sends others first."))
@click.option(
    "--permille",
    type=click.IntRange(0, 1000),
    default=1000,
    show_default=True,
    help=_("Of a thousand nodes, how many."),
)
@click.option("--node", "nodes", multiple=True, help=_("A node that is in by name."))
@click.option(
    "--trial-s",
    type=click.IntRange(0, 3600),
    default=60,
    show_default=True,
    help=_("Seconds for which a node must stay well before it confirms."),
)
@click.option("--out", type=_FILE, help=_("Write the bundle here."))
def sign(
    group: str,
    folder: pathlib.Path,
    path: pathlib.Path,
    folders: Sequence[pathlib.Path],
    salt: str,
    permille: int,
    nodes: Sequence[str],
    trial_s: int,
    out: pathlib.Path | None,
) -> None:
    """All targets of the group get the one wave."""
    from device.provisioning.verify import Target
    from device.provisioning.wave import Wave
    from tools.county.trust import issue, repository

    with told():
        wave = Wave(salt, permille, frozenset(nodes), trial_s)
        texts = {
            str(file.relative_to(folder)): Target(file.read_text("utf-8"), wave)
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        made = _change(path, folders, lambda before, ring, now: issue.sign_group(before, group, texts, ring, now))
        packed = repository.bundle_of(made, group)
        if out is not None:
            write_atomically(out, packed, mode=0o644)
        emit({"ok": True, "group": group, "bytes": len(packed)}, f"{group}: {len(packed)} B")


@trust.command("bundle", cls=Verb, without=NODE_OPTIONS, help=_("Write a group's bundle to a file, for a USB stick."))
@click.argument("group")
@click.argument("out", type=_FILE)
@repository_option
@click.option(
    "--since", type=click.IntRange(1), default=1, show_default=True, help=_("Version of the root that the nodes have.")
)
def bundle(group: str, out: pathlib.Path, path: pathlib.Path, since: int) -> None:
    """Signs nothing."""
    from tools.county.trust import repository

    with told():
        packed = repository.bundle_of(repository.load(path), group, since=since)
        write_atomically(out, packed, mode=0o644)
        emit({"ok": True, "group": group, "file": str(out), "bytes": len(packed)}, f"{out}: {len(packed)} B")


@trust.command("renew", cls=Verb, without=NODE_OPTIONS, help=_("Sign a role again, unchanged, for its whole term."))
@click.argument("role", default="timestamp")
@repository_option
@keys_option
@click.option("--after-pause", is_flag=True, help=_("The pause was real, the clock is right."))
def renew(role: str, path: pathlib.Path, folders: Sequence[pathlib.Path], after_pause: bool) -> None:
    """``timestamp`` needs the online key alone."""
    from tools.county.trust import issue

    with told():
        _show(
            _change(
                path,
                folders,
                lambda before, ring, now: issue.renew(before, role, ring, now, after_pause=after_pause),
            )
        )


@trust.command("rotate", cls=Verb, without=NODE_OPTIONS, help=_("Put a new key in place of an old one."))
@click.argument("role")
@repository_option
@keys_option
@click.option("--lost", help=_("For root: how the id of the key to replace begins."))
def rotate(role: str, path: pathlib.Path, folders: Sequence[pathlib.Path], lost: str | None) -> None:
    """The old key signs nothing any more."""
    from tools.county.trust import issue

    with told():
        _show(_change(path, folders, lambda before, ring, now: issue.rotate(before, role, ring, now, lost=lost)))


@trust.command("show", cls=Verb, without=NODE_OPTIONS, help=_("List versions, terms and keys."))
@repository_option
def show(path: pathlib.Path) -> None:
    """Reads alone."""
    from tools.county.trust import repository

    with told():
        _show(repository.load(path))


def _change(
    path: pathlib.Path,
    folders: Sequence[pathlib.Path],
    act: "Callable[[Repository, KeyRing, datetime.datetime], Repository]",
) -> "Repository":
    from tools.county.trust import repository

    with repository.locked(path):
        made = act(repository.load(path), keys_ring(folders), now())
        repository.save(path, made)
    return made


def keys_ring(folders: Sequence[pathlib.Path]) -> "KeyRing":
    from tools.county.trust.keys import KeyRing

    return KeyRing(folders, ask_passphrase)


def _show(repository: "Repository") -> None:
    from tools.county.trust.account import account

    found = account(repository)
    lines = [_("{county}  issued {issued}").format(county=found["county"], issued=found["issued"])]
    for role in found["roles"]:
        until = _("until {expires}").format(expires=role["expires"])
        lines.append(f"  {role['role']:<20} v{role['version']:<4} {until}  {' '.join(role['keys'])}")
    emit({"ok": True, **found}, "\n".join(lines))
