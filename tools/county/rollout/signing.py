"""Everything that a rollout will ever say, signed at its start, while the groups' keys are on the desk.

Each wave is another issue of the same texts, and one more takes it all back. From then on the online key is enough: the
office goes on after a crash, and sends back what does harm at three in the morning, with nobody there to type.
"""

import datetime
from collections.abc import Mapping, Sequence

from device.provisioning.trusted import time_text
from device.provisioning.verify import Target
from device.provisioning.wave import Wave, everyone
from tools.county.checking import target_text, targets
from tools.county.folder import Folder
from tools.county.rollout import plan
from tools.county.rollout.errors import RolloutError
from tools.county.rollout.plan import Step
from tools.county.rollout.state import Rollout
from tools.county.trust import issue
from tools.county.trust.keys import KeyRing
from tools.county.trust.repository import Repository

_Texts = Mapping[str, Mapping[str, str]]


def prepare(
    folder: Folder,
    before: Repository,
    steps: Sequence[Step],
    keys: KeyRing,
    now: datetime.datetime,
    *,
    trial_s: int,
    soak_s: float,
    answer_s: float,
    abort_over_pct: float,
) -> tuple[Repository, Rollout]:
    """The rollout of a folder that was checked, and the repository with the groups that are new in it: those are
    told an empty patch first, to have something to go back to. Nothing of the change is said yet. Raises
    RolloutError, TrustError, ConfigError."""
    if folder.county != before.county:
        raise RolloutError("other_county", value=folder.county, wanted=before.county)
    wanted = _by_group(targets(folder))
    for group in sorted(wanted.keys() - set(before.groups)):
        nothing = {"group.yaml": Target(target_text({}).decode(), everyone(trial_s=0))}
        before = issue.sign_group(before, group, nothing, keys, now)
    said = {group: _by_group(before.texts(group)).get(group, {}) for group in wanted}
    changed = [group for group in sorted(wanted) if wanted[group] != said[group]]
    group_of = {node: group for node, group in folder.group_of.items() if group in changed}
    if not group_of:
        raise RolloutError("nothing")
    if strange := sorted({node for step in steps for node in step.nodes} - group_of.keys()):
        raise RolloutError("unknown_node", nodes=", ".join(strange))
    salt = plan.draw(steps, list(group_of))

    def presigned(texts: _Texts, wave: Wave, number: int) -> dict[str, str]:
        return {
            group: issue.presign(
                before,
                group,
                {name: Target(text, wave) for name, text in texts[group].items()},
                keys,
                now,
                version=before.role(group).version + number,
            ).decode()
            for group in changed
        }

    return before, Rollout(
        county=folder.county,
        begun=time_text(now),
        salt=salt,
        steps=tuple(steps),
        trial_s=trial_s,
        soak_s=soak_s,
        answer_s=answer_s,
        abort_over_pct=abort_over_pct,
        base=before.timestamp.version,
        group_of=group_of,
        texts={group: wanted[group] for group in changed},
        before={group: said[group] for group in changed},
        presigned=tuple(
            presigned(wanted, step.wave(salt, trial_s), number) for number, step in enumerate(steps, start=1)
        ),
        # What was good before needs no trial, and the way back no time.
        presigned_back=presigned(said, everyone(f"back-{salt}", trial_s=0), len(steps) + 1),
    )


def _by_group(named: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """``{group}/{name}`` -> bytes as group -> name -> text."""
    found: dict[str, dict[str, str]] = {}
    for full, data in named.items():
        group, _slash, name = full.partition("/")
        found.setdefault(group, {})[name] = data.decode("utf-8")
    return found
