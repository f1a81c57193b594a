"""What is asked of the bundled models: each bar against a teacher in the same run, as lines of figures. Pure.

Invariants: a line has exactly the keys ``name, value, unit, bar, ok``; ``ok`` is null where there is no bar; what could
not be worked out has no value and is not ok; a difference is paired, draw by draw, with its interval beside it.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

from tools.detector import pace, questions
from tools.detector.curves import Estimate, estimate
from tools.detector.degrade import WEATHERS
from tools.detector.looking import CLEAR
from tools.detector.questions import Answers, Asked
from tools.detector.scorers import NANODET, YOLOX_WIDE

Line = Mapping[str, object]

POLE, CLOSE = Asked("pole", CLEAR, questions.POLE), Asked("close", CLEAR, questions.CLOSE)

DROP_SHARE = 0.5
"""Of what the teacher loses in a weather a model of ours may lose this share."""


@dataclasses.dataclass(frozen=True, slots=True)
class Role:
    """Whom a bundled model is held against. ``pole_gain`` None: any gain that is sure at 95 %."""

    name: str
    teacher: str
    time_share: float
    pole_gain: float | None


STANDARD = Role("standard", NANODET, 0.6, 0.10)
TINY = Role("tiny", YOLOX_WIDE, 0.8, None)


def role(model: str) -> Role:
    """By name: a model called tiny is the small one, any other has to be the standard."""
    return TINY if "tiny" in model else STANDARD


def lines(models: Sequence[str], answers: Answers, times: pace.Times) -> Iterator[Line]:
    """The lines of every bundled model, in the order of the table of bars."""
    for model in models:
        yield from _of(model, role(model), answers, times)


def _of(model: str, role: Role, answers: Answers, times: pace.Times) -> Iterator[Line]:
    against = f"AP50 minus {role.teacher}"
    pole = difference(answers, POLE, model, role.teacher)
    if role.pole_gain is None:
        yield _line(f"{model}_pole_gain_low", pole.low, against, 0, above=True)
        yield _line(f"{model}_pole_gain", pole.value, against)
    else:
        yield _line(f"{model}_pole_gain", pole.value, against, role.pole_gain)
        yield _line(f"{model}_pole_gain_low", pole.low, against)
    yield _line(f"{model}_pole_gain_high", pole.high, against)
    everywhere = difference(answers, dataclasses.replace(POLE, what=questions.ALL_CAMERAS), model, role.teacher)
    yield _line(f"{model}_pole_gain_all_cameras", everywhere.value, against)
    close = difference(answers, CLOSE, model, role.teacher)
    yield _line(f"{model}_close_gain_low", close.low, against, 0, above=True)
    yield _line(f"{model}_close_gain", close.value, against)
    yield _line(f"{model}_close_gain_high", close.high, against)
    time = pace.ratio(times, model, role.teacher)
    yield _line(f"{model}_time_ratio", time, f"x {role.teacher}", role.time_share, most=True)
    for weather in WEATHERS:
        for clear in (POLE, CLOSE):
            asked = dataclasses.replace(clear, weather=weather)
            mine, teachers = (answers[asked][one].ap50().value for one in (model, role.teacher))
            before, teachers_before = (answers[clear][one].ap50().value for one in (model, role.teacher))
            name = f"{model}_{weather}_{clear.view}"
            yield _line(f"{name}_ap50", mine, "AP50", teachers)
            yield _line(f"{name}_drop", before - mine, "AP50", DROP_SHARE * (teachers_before - teachers), most=True)


def difference(answers: Answers, asked: Asked, model: str, other: str) -> Estimate:
    """Paired difference of AP50 on the same draws."""
    one, two = answers[asked][model], answers[asked][other]
    return estimate(one.ap - two.ap, one.labels)


def _line(
    name: str, value: float, unit: str, bar: float | None = None, *, most: bool = False, above: bool = False
) -> Line:
    """``most``: the bar is the most allowed, not the least; ``above``: it must be passed, not reached."""
    ok: bool | None = None
    if bar is not None:
        ok = value <= bar if most else value > bar if above else value >= bar
    return {
        "name": name,
        "value": round(value, 4) if math.isfinite(value) else None,
        "unit": unit,
        "bar": None if bar is None else round(bar, 4),
        "ok": ok,
    }
