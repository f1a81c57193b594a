"""What a node pays for not believing strangers: ``python -m tools.county.trust.measure`` prints JSON lines.

A county of 20 groups, each with a key of its own (a group more adds 65 bytes to every bundle); five nodes of the
node's group have a patch, and the office has changed its online key twice while the node slept. ``verify`` includes the
write of the node's trust. Keys and repository are made anew in a folder that goes.
"""

import datetime
import pathlib
import subprocess
import sys
import tempfile
import zlib

from configs.bundle import MAX_UNPACKED_BYTES
from device.provisioning import trusted
from device.provisioning.verify import Addressee, Target, verify
from device.provisioning.wave import everyone
from hal.clock import NS_PER_MS, SYSTEM_CLOCK
from tools.bench.figures import Figure, Reading, percentile
from tools.bench.printing import printed
from tools.county.trust import issue
from tools.county.trust.keys import KeyRing
from tools.county.trust.repository import Repository, bundle_of

FIGURES = (
    Figure("bundle_change_bytes", "B", 4000, 1, "改一个值,整组的配置包", "a change of one value: the group's bundle"),
    Figure("bundle_new_roots_bytes", "B", None, 1, "同上,换过两次密钥", "the same after two changes of a key"),
    Figure("verify_p50_ms", "ms", 100, 50, "节点验证一个新配置包", "the node verifies a new bundle"),
    Figure("verify_max_ms", "ms", None, 1, "同上,最大值", "the same, maximum"),
    Figure("verify_process_s", "s", None, 1, "同上,连同进程启动", "the same with the start of its process, median"),
    Figure("verify_peak_mb", "MB", 60, 1, "同上,进程内存峰值", "the same, peak memory of the process"),
    Figure(
        "refuse_bomb_peak_mb", "MB", 60, 1, "拒绝解压炸弹,进程内存峰值", "a bomb is refused, peak memory of the process"
    ),
)

_TO = Addressee("371500", "north", "n0001")
_OPENING = datetime.datetime(2027, 3, 1, tzinfo=datetime.UTC)
_GROUPS, _PATCHES, _ROUNDS, _STARTS = 20, 5, 50, 5

_ONCE = """
import pathlib, sys
from configs.bundle import BundleError, read
from device.provisioning.verify import Addressee, verify
try:
    verify(read(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]), Addressee(*sys.argv[3:]))
except BundleError as error:
    print(error.code)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def measure() -> dict[str, Reading]:
    """Every figure by name."""
    with tempfile.TemporaryDirectory(prefix="sentinel-trust-") as name:
        return _measure(pathlib.Path(name))


def _measure(folder: pathlib.Path) -> dict[str, Reading]:
    ring = KeyRing([folder], lambda _name, _new: b"measure")
    county = issue.create(_TO.county, ring, _OPENING)
    for number in range(_GROUPS - 1):
        county = _says(county, ring, f"group_{number}", 4)
    asleep = trusted.begin(county.files["1.root.json"])
    county = _says(county, ring, _TO.group, 4)
    trusted.save(folder, asleep)
    awake = verify(bundle_of(county, _TO.group), folder, _TO).trusted
    changed = bundle_of(_says(county, ring, _TO.group, 5), _TO.group)
    for _ in range(2):
        county = issue.rotate(county, "online", ring, _OPENING)
    packed = bundle_of(_says(county, ring, _TO.group, 5), _TO.group)
    times_ms = []
    for _ in range(_ROUNDS):
        trusted.save(folder, awake)
        start_ns = SYSTEM_CLOCK.monotonic_ns()
        verify(packed, folder, _TO)
        times_ms.append((SYSTEM_CLOCK.monotonic_ns() - start_ns) / NS_PER_MS)
    starts = []
    for _ in range(_STARTS):
        trusted.save(folder, awake)
        starts.append(_process(folder, packed))
    bomb = zlib.compress(bytes(50 * MAX_UNPACKED_BYTES))
    return {
        "bundle_change_bytes": Reading(len(changed), 1),
        "bundle_new_roots_bytes": Reading(len(packed), 1),
        "verify_p50_ms": Reading(percentile(times_ms, 0.5), len(times_ms)),
        "verify_max_ms": Reading(max(times_ms), len(times_ms)),
        "verify_process_s": Reading(percentile([seconds for seconds, _ in starts], 0.5), _STARTS),
        "verify_peak_mb": Reading(max(peak_mb for _, peak_mb in starts), _STARTS),
        "refuse_bomb_peak_mb": Reading(_process(folder, bomb, refused="bomb")[1], 1),
    }


def _says(county: Repository, ring: KeyRing, group: str, hold_s: int) -> Repository:
    texts = {"group.yaml": f"policy: {{hold_s: {hold_s}, caution_requires: any}}\n"}
    if group == _TO.group:
        texts |= {f"nodes/n{number:04}.yaml": f"policy: {{hold_s: {number}}}\n" for number in range(1, _PATCHES + 1)}
    return issue.sign_group(
        county, group, {name: Target(text, everyone()) for name, text in texts.items()}, ring, _OPENING
    )


def _process(folder: pathlib.Path, packed: bytes, *, refused: str = "") -> tuple[float, float]:
    """Seconds from start to end of a process that verifies one bundle, and its peak of resident memory in MB."""
    file = folder / "stick.bundle"
    file.write_bytes(packed)
    start_ns = SYSTEM_CLOCK.monotonic_ns()
    words = [sys.executable, "-c", _ONCE, str(file), str(folder), _TO.county, _TO.group, _TO.node]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    seconds = (SYSTEM_CLOCK.monotonic_ns() - start_ns) / NS_PER_MS / 1000
    if said[:-1] != ([refused] if refused else []):
        raise RuntimeError(f"the bundle was to be {refused or 'verified'}: {said}")
    return seconds, int(said[-1]) / 1000


if __name__ == "__main__":
    sys.exit(printed(FIGURES, measure()))
