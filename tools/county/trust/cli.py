"""``sentinel-county trust``: make the county's keys, sign, renew, rotate, look. Thin: what it does is in ``issue``.

Exit 0, or 2 with a line that says what is wrong; the repository is then as it was. Chinese first, English beside.
"""

import contextlib
import datetime
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from configs.errors import CodedError
from configs.files import write_atomically
from hal.clock import NS_PER_S, SYSTEM_CLOCK

# What signs (tuf, cryptography) takes a good half second to import and is imported where it is used, not for --help.
if TYPE_CHECKING:
    from tools.county.trust.keys import KeyRing
    from tools.county.trust.repository import Repository

BAD_INPUT = 2

_PATH = click.Path(path_type=pathlib.Path)
_FILE = click.Path(path_type=pathlib.Path, dir_okay=False)
_FOLDER = click.Path(path_type=pathlib.Path, file_okay=False, exists=True)

_repository = click.option(
    "--repository", "path", type=_FILE, required=True, help="签名库文件 / the county's repository, one file"
)
_keys = click.option(
    "--keys",
    "folders",
    type=_FOLDER,
    multiple=True,
    required=True,
    help="密钥所在文件夹,可写多个,新密钥写入第一个 / where keys are; several may be named, new ones go to the first",
)


@click.group(
    "trust", help="县里的签名:密钥、签发、续期、换密钥 / The county's signature: keys, signing, renewal, rotation."
)
def trust() -> None:
    """The verbs below."""


@trust.command("init", help="建立一个县的密钥和签名库 / Makes a county's keys and repository.")
@click.argument("county")
@_repository
@_keys
def init(county: str, path: pathlib.Path, folders: Sequence[pathlib.Path]) -> None:
    """Refuses where a repository is already."""
    from tools.county.trust import issue, repository
    from tools.county.trust.errors import TrustError

    with _told(), repository.locked(path):
        if path.exists():
            raise TrustError("exists", file=path)
        made = issue.create(county, _ring(folders), _now())
        repository.save(path, made)
        _show(made)


@trust.command(
    "sign",
    help="签发一个组的配置:FOLDER 里有 group.yaml,可有 nodes/节点号.yaml 和 files.json / "
    "Signs what a group is told: FOLDER holds group.yaml, perhaps nodes/ID.yaml and files.json.",
)
@click.argument("group")
@click.argument("folder", type=_FOLDER)
@_repository
@_keys
@click.option(
    "--salt", default="all", show_default=True, help="批次的盐:换一个就换一批先行者 / another one sends others first"
)
@click.option(
    "--permille", type=click.IntRange(0, 1000), default=1000, show_default=True, help="千分之几 / of all nodes"
)
@click.option("--node", "nodes", multiple=True, help="点名的节点号 / a node that is in by name")
@click.option("--out", type=_FILE, help="把配置包写到这里 / writes the bundle here")
def sign(
    group: str,
    folder: pathlib.Path,
    path: pathlib.Path,
    folders: Sequence[pathlib.Path],
    salt: str,
    permille: int,
    nodes: Sequence[str],
    out: pathlib.Path | None,
) -> None:
    """All targets of the group get the one wave."""
    from device.provisioning.verify import Target
    from device.provisioning.wave import Wave
    from tools.county.trust import issue, repository

    with _told():
        wave = Wave(salt, permille, frozenset(nodes))
        texts = {
            str(file.relative_to(folder)): Target(file.read_text("utf-8"), wave)
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        made = _change(path, folders, lambda before, ring, now: issue.sign_group(before, group, texts, ring, now))
        packed = repository.bundle_of(made, group)
        click.echo(f"{group}: {len(packed)} B")
        if out is not None:
            write_atomically(out, packed, mode=0o644)


@trust.command("bundle", help="把一个组的配置包写成文件(U 盘)/ Writes a group's bundle to a file, for a USB stick.")
@click.argument("group")
@click.argument("out", type=_FILE)
@_repository
@click.option(
    "--since", type=click.IntRange(1), default=1, show_default=True, help="节点已有的根证书版本 / the nodes' root"
)
def bundle(group: str, out: pathlib.Path, path: pathlib.Path, since: int) -> None:
    """Signs nothing."""
    from tools.county.trust import repository

    with _told():
        packed = repository.bundle_of(repository.load(path), group, since=since)
        write_atomically(out, packed, mode=0o644)
        click.echo(f"{out}: {len(packed)} B")


@trust.command(
    "renew", help="原样重签:timestamp、targets、root 或组名 / Signs a role again, unchanged, for its whole term."
)
@click.argument("role", default="timestamp")
@_repository
@_keys
@click.option("--after-pause", is_flag=True, help="确实停了很久,时钟没错 / the pause was real, the clock is right")
def renew(role: str, path: pathlib.Path, folders: Sequence[pathlib.Path], after_pause: bool) -> None:
    """``timestamp`` needs the online key alone."""
    from tools.county.trust import issue

    with _told():
        _show(
            _change(
                path,
                folders,
                lambda before, ring, now: issue.renew(before, role, ring, now, after_pause=after_pause),
            )
        )


@trust.command("rotate", help="换密钥:root、targets、online 或组名 / A new key in place of an old one.")
@click.argument("role")
@_repository
@_keys
@click.option("--lost", help="root 必写:要换掉的密钥号的开头 / for root: how the id of the key to replace begins")
def rotate(role: str, path: pathlib.Path, folders: Sequence[pathlib.Path], lost: str | None) -> None:
    """The old key signs nothing any more."""
    from tools.county.trust import issue

    with _told():
        _show(_change(path, folders, lambda before, ring, now: issue.rotate(before, role, ring, now, lost=lost)))


@trust.command("show", help="版本、到期、密钥 / Versions, expiry, keys.")
@_repository
@click.option("--json", "as_json", is_flag=True, help="一个 JSON / one JSON value")
def show(path: pathlib.Path, as_json: bool) -> None:
    """Reads alone."""
    from tools.county.trust import repository

    with _told():
        _show(repository.load(path), as_json=as_json)


def _change(
    path: pathlib.Path,
    folders: Sequence[pathlib.Path],
    act: "Callable[[Repository, KeyRing, datetime.datetime], Repository]",
) -> "Repository":
    from tools.county.trust import repository

    with repository.locked(path):
        made = act(repository.load(path), _ring(folders), _now())
        repository.save(path, made)
    return made


def _ring(folders: Sequence[pathlib.Path]) -> "KeyRing":
    from tools.county.trust.keys import KeyRing

    return KeyRing(folders, _passphrase)


def _passphrase(name: str, new: bool) -> bytes:
    what = f"新密钥 {name} 的口令 / passphrase for the new key" if new else f"密钥 {name} 的口令 / passphrase"
    return str(click.prompt(what, hide_input=True, confirmation_prompt=new)).encode("utf-8")


def _now() -> datetime.datetime:
    return datetime.datetime.fromtimestamp(SYSTEM_CLOCK.wall_ns() // NS_PER_S, datetime.UTC)


def _show(repository: "Repository", *, as_json: bool = False) -> None:
    from tools.county.trust.account import account

    found = account(repository)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    click.echo(f"{found['county']}  签发 / issued {found['issued']}")
    for role in found["roles"]:
        click.echo(
            f"  {role['role']:<20} v{role['version']:<4} 到期 / until {role['expires']}  {' '.join(role['keys'])}"
        )


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except CodedError as error:
        _fail(f"{error.message('zh')}\n{error.message('en')}")
    except (OSError, ValueError) as error:
        _fail(str(error))


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(BAD_INPUT)
