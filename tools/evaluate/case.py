"""One recording judged: truth, site file and what the node printed when it played the recording.

The node is run as it is (``device.replay.Replay``: real parsers, tracking and decision); only its JSON lines are read.
"""

import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence

from configs.schema import SiteConfig
from device.replay import Recorded, Replay, read
from tools.evaluate import encounters, findings, rivals
from tools.evaluate.duty import duties
from tools.evaluate.lamp import FaceLamp, faces
from tools.evaluate.road import Run, runs
from tools.evaluate.tally import Arrivals, Tally, Unit
from tools.evaluate.verdict import FaceVerdict, dark_passages, of_recording, passages
from tools.sim.scene import Scene
from tools.sim.sensing.reach import visible


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """One recording with everything that the judge found."""

    name: str
    scene: Scene
    site: SiteConfig
    runs: Mapping[str, Sequence[Run]]
    lamps: Mapping[str, FaceLamp]
    verdicts: Sequence[FaceVerdict]
    met: Sequence[encounters.Met]
    recorded: Recorded
    lines: Sequence[str]
    replay_s: float

    def findings(self) -> list[findings.Finding]:
        """Everything wrong, in order of time."""
        found = [
            finding
            for verdict in self.verdicts
            for finding in findings.of_face(self.name, verdict, self.lamps.get(verdict.duty.face), self.runs)
        ]
        found += [findings.missed_alert(self.name, one, self.lamps, self.runs) for one in self.met if one.missed]
        return sorted(found, key=lambda finding: (finding.from_s, finding.face, finding.what, finding.who))


def judge(recording: pathlib.Path, scene: Scene, site: SiteConfig, *, with_tracks: bool = False) -> Judged:
    """Plays a recording and judges what the node said."""
    recorded = read(recording)
    # Only the playing is timed, not the reading of the file: it is the node's arithmetic that has a bar.
    started_s = time.perf_counter()
    lines = list(Replay(recorded, site, with_tracks=with_tracks).lines())
    replay_s = time.perf_counter() - started_s
    there = runs(scene, visible(scene, site))
    lamps = faces(lines, scene.duration_s)
    return Judged(
        name=recording.stem,
        scene=scene,
        site=site,
        runs=there,
        lamps=lamps,
        verdicts=of_recording(duties(site, there), lamps, scene.duration_s, site.policy.hold_s),
        met=encounters.met(scene, site, there, lamps),
        recorded=recorded,
        lines=lines,
        replay_s=replay_s,
    )


def tally(judged: Judged, *, fitting: str) -> Tally:
    """What one recording adds to the figures."""
    arrivals = [arrival for verdict in judged.verdicts for arrival in verdict.arrivals]
    return Tally(
        recording=judged.name,
        weather=judged.scene.weather,
        fitting=fitting,
        duration_s=judged.scene.duration_s,
        replay_s=judged.replay_s,
        radar_only=not judged.site.cameras,
        node=_unit("node", judged.verdicts),
        roads={
            road: _unit("node", [verdict for verdict in judged.verdicts if verdict.duty.main is main])
            for road, main in (("branch", False), ("main", True))
        },
        named_dark=len(
            dark_passages(
                of_recording(
                    duties(judged.site, judged.runs, as_named=True),
                    judged.lamps,
                    judged.scene.duration_s,
                    judged.site.policy.hold_s,
                )
            )
        ),
        leads=sum(len(verdict.leads) for verdict in judged.verdicts),
        late=sum(not lead.in_time for verdict in judged.verdicts for lead in verdict.leads),
        fault_s=sum(verdict.fault_s for verdict in judged.verdicts),
        cut_short=sum(len(verdict.let_go) for verdict in judged.verdicts),
        arrivals={
            road: Arrivals(
                total=sum(arrival.main is main for arrival in arrivals),
                lit_for_nobody=sum(a.main is main and a.lit and not a.excused for a in arrivals),
                lit_strictly=sum(a.main is main and a.lit and not a.coming for a in arrivals),
            )
            for road, main in (("branch", False), ("main", True))
        },
        met=sum(not one.inside for one in judged.met),
        inside=sum(one.inside for one in judged.met),
        missed=sum(bool(one.missed) for one in judged.met),
        missed_anyway=sum(bool(one.missed_anyway) for one in judged.met),
        main_missed=sum(bool(one.main_missed) for one in judged.met if not one.inside),
        sides=_sides(judged),
        findings=tuple(judged.findings()),
    )


def _sides(judged: Judged) -> tuple[Unit, ...]:
    """Ours and its rivals on the same branch faces, obliged only to whom a radar can see."""
    fitted = set(rivals.fitted_faces(judged.site))
    tasks = {face: duty for face, duty in duties(judged.site, judged.runs, camera=False).items() if face in fitted}
    if not tasks:
        return ()
    end_s, hold_s = judged.scene.duration_s, judged.site.policy.hold_s
    seen = rivals.frames(judged.recorded, judged.site)
    found = [_unit("node", of_recording(tasks, judged.lamps, end_s, hold_s))]
    for rival in rivals.rivals(judged.site):
        lit = rivals.lamps(rival, seen, judged.site, end_s)
        found.append(_unit(rival.name, of_recording(tasks, lit, end_s, hold_s)))
    return tuple(found)


def _unit(name: str, verdicts: Sequence[FaceVerdict]) -> Unit:
    return Unit(
        name=name,
        passages=len(passages(verdicts)),
        dark_passages=len(dark_passages(verdicts)),
        dark_moments=sum(len(dark.dark) for verdict in verdicts for dark in verdict.dark),
        dark_s=sum(dark.dark_s for verdict in verdicts for dark in verdict.dark),
        needless_s=sum(verdict.needless.total_s for verdict in verdicts),
        idle_s=sum(verdict.idle_s for verdict in verdicts),
    )
