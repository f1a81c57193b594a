"""``sentinel-county files``: names a group's larger files (voice clips, a model) and puts them where they are served.

``files/{group}.json`` of the office's folder is what is signed; the bytes go to a folder of a web server under their
hash, so that nothing ever changes under an address. Whatever a node would refuse, or would find out on trial, is
refused here. Exit 0, or 2 with the reason and nothing changed in the office's folder.
"""

import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import click

from configs.errors import CodedError, Text
from configs.files import write_atomically
from device.cli.common import Verb, emit
from device.cli.language import _
from device.provisioning.files import CLIPS, MODELS, parse
from device.provisioning.fitting import COUNTY
from hal.errors import HalError
from hal.speaker import clips, wav
from models.errors import ManifestError, ModelFileError
from models.manifest import read_manifest, read_proven, read_weights
from tools.county import NODE_OPTIONS
from tools.county.desk import told
from tools.county.folder import FILES, register

_FOLDER = click.Path(exists=True, file_okay=False, path_type=pathlib.Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)


class FilesError(CodedError):
    """What should be named cannot be used on a node."""

    messages: ClassVar[Mapping[str, Text]] = {
        "no_group": Text(
            "register.yaml 里没有分组「{value}」,有:{known}", "register.yaml has no group '{value}', but {known}"
        ),
        "neither": Text(
            "{file} 既不是语音(编号.wav)也不是模型清单(.json)",
            "{file} is neither a clip (ID.wav) nor a model's manifest (.json)",
        ),
        "no_clip": Text("{file}:没有这个语音编号;有:{known}", "{file}: there is no clip of that id; there are {known}"),
        "too_long": Text(
            "{file} 有 {found:.1f} 秒,最多 {limit:g} 秒", "{file} plays {found:.1f} s, {limit:g} s at most"
        ),
        "twice": Text(
            "{file}:「{name}」已经有另一个同名文件,请改名", "{file}: there is another '{name}' already, rename one"
        ),
        "unusable": Text("{file} 用不了:{detail}", "{file} cannot be used: {detail}"),
    }


@click.command(
    "files",
    cls=Verb,
    without=NODE_OPTIONS,
    help=_("Name the larger files of GROUP: voice clips (ID.wav) and manifests of models; those alone, none at all."),
)
@click.argument("group")
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=_FILE)
@click.option(
    "--folder", type=_FOLDER, default=".", show_default=True, help=_("The county's folder; this one unless told.")
)
@click.option("--url", "bases", multiple=True, required=True, help=_("Where --publish is served; several are tried."))
@click.option("--publish", type=_FOLDER, required=True, help=_("Folder of the web server: copies go there by hash."))
def command(
    group: str, paths: Sequence[pathlib.Path], folder: pathlib.Path, bases: Sequence[str], publish: pathlib.Path
) -> None:
    """Replaces the group's list."""
    with told():
        _county, group_of = register(folder)
        if group not in group_of.values():
            raise FilesError("no_group", value=group, known=", ".join(sorted(set(group_of.values()))))
        found: dict[str, bytes] = {}
        for path in paths:
            for name, data in named(path):
                if found.setdefault(name, data) != data:
                    raise FilesError("twice", file=path, name=name)
        text = listed(found, bases)
        for data in found.values():
            path = publish / hashlib.sha256(data).hexdigest()
            if not path.exists():
                write_atomically(path, data, mode=0o644)
        (folder / FILES).mkdir(exist_ok=True)
        write_atomically(folder / FILES / f"{group}.json", text.encode(), mode=0o644)
        lines = [f"{name}  {len(data)} B" for name, data in sorted(found.items())]
        lines += [
            _("for detector.manifest: {value}").format(value=COUNTY + name.removeprefix(MODELS))
            for name in sorted(found)
            if name.startswith(MODELS) and name.endswith(".json")
        ]
        sizes = {name: len(data) for name, data in sorted(found.items())}
        emit(
            {"ok": True, "group": group, "files": sizes},
            "\n".join([*lines, _("{count} files for {group}").format(count=len(found), group=group)]),
        )


def listed(files: Mapping[str, bytes], bases: Sequence[str]) -> str:
    """The ``files.json`` of these files, each under its hash below every base. Raises Refused as a node would."""
    entries = {}
    for name, data in sorted(files.items()):
        sha256 = hashlib.sha256(data).hexdigest()
        urls = [f"{base.rstrip('/')}/{sha256}" for base in bases]
        entries[name] = {"sha256": sha256, "bytes": len(data), "urls": urls}
    text = json.dumps(entries, indent=1) + "\n"
    parse(text)
    return text


def named(path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """What a file brings, by the names of the node: a clip itself, a manifest with its weights. Raises FilesError."""
    if path.suffix == ".wav":
        yield f"{CLIPS}{path.name}", _clip(path)
    elif path.suffix == ".json":
        yield from _model(path)
    else:
        raise FilesError("neither", file=path)


def _clip(path: pathlib.Path) -> bytes:
    if path.stem not in clips.CLIPS:
        raise FilesError("no_clip", file=path, known=", ".join(clips.CLIPS))
    try:
        sound = wav.read(path)
    except HalError as error:
        raise FilesError("unusable", file=path, detail=error) from None
    if sound.duration_s > clips.LONGEST_S:
        raise FilesError("too_long", file=path, found=sound.duration_s, limit=clips.LONGEST_S)
    return path.read_bytes()


def _model(path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    try:
        manifest = read_manifest(path)
        yield f"{MODELS}{path.name}", path.read_bytes()
        yield f"{MODELS}{manifest.file}", read_weights(path, manifest)
        for proven in () if manifest.ncnn is None else (manifest.ncnn.param, manifest.ncnn.weights):
            yield f"{MODELS}{proven.file}", read_proven(path.parent, proven)
    except (ManifestError, ModelFileError) as error:
        raise FilesError("unusable", file=path, detail=error) from None
