"""``python -m tools.evaluate.one RECORDING``: what the judge finds in one recording, moment by moment.

For each dark moment: who it was, where it truly was, who could see it, and what the node's tracks were; for each
needless light: the cause that the node named and who truly was where. Exit 1 when anything was found, 2 when a file
cannot be read.
"""

import bisect
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import click

from configs.errors import ConfigError
from configs.loader import load_site
from device.replay import ReplayError
from tools.evaluate.case import Judged, judge
from tools.evaluate.findings import Finding, people
from tools.evaluate.lamp import LampError
from tools.sim.scene import SceneError, read_scene

BAD_INPUT = 2
TRACKS_SHOWN = 12


class CannotRead(click.ClickException):
    """A file is missing or not what it should be; the message names it."""

    exit_code = BAD_INPUT


@click.command()
@click.argument("recording", type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path))
@click.option("--truth", type=click.Path(path_type=pathlib.Path), help="Truth file; default: beside the recording.")
@click.option("--config", type=click.Path(path_type=pathlib.Path), help="Site file; default: beside the recording.")
@click.option("--only", default="", help="Only findings of this kind: dark, late, needless, missed_alert.")
@click.option("--face", default="", help="Only this face.")
@click.option("--tracks/--no-tracks", default=True, help="What the node's tracks were at each finding.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="So many of each kind.")
@click.option("--at", "moments", multiple=True, type=float, help="What was at this second, instead of findings.")
def main(
    recording: pathlib.Path,
    truth: pathlib.Path | None,
    config: pathlib.Path | None,
    only: str,
    face: str,
    tracks: bool,
    limit: int,
    moments: tuple[float, ...],
) -> None:
    """判一段录制,逐条说明 / Judges one recording and explains every finding."""
    stem = recording.name.removesuffix(".mcap")
    try:
        scene = read_scene(truth or recording.with_name(f"{stem}.truth.jsonl"))
        site = load_site(config or recording.with_name(f"{stem}.site.yaml"))
        judged = judge(recording, scene, site, with_tracks=tracks or bool(moments))
    except (SceneError, ConfigError, ReplayError, LampError) as error:
        raise CannotRead(str(error)) from error
    seen = _tracks(judged.lines)
    if moments:
        for moment_s in moments:
            click.echo("\n".join(_moment(judged, moment_s, seen)))
        return
    found = [one for one in judged.findings() if one.what.startswith(only) and face in one.face]
    for line in summary(judged, found):
        click.echo(line)
    for what in dict.fromkeys(finding.what for finding in found):
        mine = sorted((one for one in found if one.what == what), key=lambda one: -one.size_s)
        click.echo(f"\n== {what}: {len(mine)}")
        for finding in sorted(mine[:limit], key=lambda one: one.from_s):
            click.echo(finding.text())
            if tracks:
                click.echo("\n".join(_around(finding, seen)))
    if found:
        raise SystemExit(1)


def summary(judged: Judged, found: Sequence[Finding]) -> Iterable[str]:
    """Each face in one line, and the counts."""
    yield f"{judged.name}: {judged.scene.duration_s:.0f} s, replay {judged.scene.duration_s / judged.replay_s:.0f}x"
    for verdict in judged.verdicts:
        late = sum(not lead.in_time for lead in verdict.leads)
        yield (
            f"  {verdict.duty.face:<14} lit {verdict.lit_s:7.1f} s, dark for {len(verdict.dark)} road users, "
            f"{late} of {len(verdict.leads)} warned late, needless {verdict.needless.total_s:.1f} of "
            f"{verdict.idle_s:.0f} s, fault {verdict.fault_s:.1f} s, hold cut short {len(verdict.let_go)}x"
        )
    missed = sum(bool(one.missed) for one in judged.met)
    yield f"  conflicts {len(judged.met)}, not alerted {missed}; findings {len(found)}"


def _around(finding: Finding, seen: Sequence[dict[str, Any]]) -> Iterable[str]:
    """The node's tracks when it began; of a needless light the last ones before it too."""
    yield from _tracks_at(seen, finding.from_s)
    if finding.to_s - finding.from_s > 1.0:
        yield from _tracks_at(seen, (finding.from_s + finding.to_s) / 2)


def _tracks_at(seen: Sequence[dict[str, Any]], t_s: float) -> Iterable[str]:
    times = [track["t_s"] for track in seen]
    last = bisect.bisect_right(times, t_s + 1e-6)
    at_s = times[last - 1] if last else 0.0
    # Several messages may have come within the same millisecond: the last step of them counts.
    now = list({track["id"]: track for track in seen[bisect.bisect_left(times, at_s) : last]}.values())
    now = now if t_s - at_s < 0.15 else []
    if not now:
        yield f"      {t_s:.2f} no track"
    for track in now[:TRACKS_SHOWN]:
        away = " receding" if track["receding"] else ""
        yield (
            f"      {at_s:.2f} track {track['id']} {track['sensor']} {track['approach']} {track['state']}{away} "
            f"{track['class'] or '?'} {track['distance_m']} m {track['speed_mps']} m/s "
            f"TTA {track['time_to_arrival_s']}"
        )


def _moment(judged: Judged, t_s: float, seen: Sequence[dict[str, Any]]) -> Iterable[str]:
    yield f"{t_s:.2f} s: {people(judged.runs, t_s)}"
    for face, lamp in judged.lamps.items():
        shown = lamp.at(t_s)
        if shown is not None:
            yield f"      {face} shows {shown.shows} ({shown.health}) since {shown.from_s:.2f}"
    yield from _tracks_at(seen, t_s)


def _tracks(lines: Sequence[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if '"kind": "track"' in line]


if __name__ == "__main__":
    main()
