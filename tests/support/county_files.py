"""The county's larger files for tests: clips that are tones, a list of what a server has, what a node plays."""

import array
import hashlib
import json
import pathlib
from collections.abc import Mapping

from configs.loader import load_site
from configs.schema import SiteConfig
from device import ipc
from device.provisioning.fitting import OPTION
from hal.speaker import wav
from tests.support.file_server import FileServer
from tests.support.pole import Pole

SPEAKER = "speakers: {s_branch: {driver: alsa, faces: [branch_south]}, s_desk: {driver: 'null', faces: [main_east]}}\n"

CLIP = "clips/left_vehicle.wav"


def tone(level: int, tmp_path: pathlib.Path) -> bytes:
    """A clip of a tenth of a second."""
    path = tmp_path / "tone.wav"
    wav.write(path, wav.Sound(8000, 1, array.array("h", [level, -level] * 400)))
    return path.read_bytes()


def listed(server: FileServer, files: Mapping[str, bytes]) -> str:
    """A ``files.json`` of these files, served under their hash."""
    entries = {}
    for name, data in files.items():
        sha256 = hashlib.sha256(data).hexdigest()
        server.files[f"/{sha256}"] = data
        entries[name] = {"sha256": sha256, "bytes": len(data), "urls": [f"{server.url}/{sha256}"]}
    return json.dumps(entries)


def config(pole: Pole) -> SiteConfig:
    return load_site(pole.place.run_dir / ipc.SITE_CONFIG)


def clip(pole: Pole) -> bytes | None:
    """What the speaker of the branch plays from the county."""
    folder = config(pole).speakers["s_branch"].options().get(OPTION)
    return None if folder is None else (pathlib.Path(folder) / "left_vehicle.wav").read_bytes()
