"""How far a radar looks beside how far it surely sees: the check and the words that drivers share.

Invariant: a radar never looks less far than its site file promises; a value that says so is refused, not mended.
"""

from hal.errors import OptionError

REACH_ZH, REACH_EN = "雷达有效距离(米)", "how far it surely sees a car, metres"
SEES_ZH = "雷达本身能看到的最远距离(米),不填同 reach_m;比 reach_m 远 10 %,来车进入有效距离时就已确认"
SEES_EN = "how far the radar itself looks, reach_m if empty; with a tenth more who comes in reach is known already"


def limit_m(reach_m: float, sees_m: float | None) -> float:
    """How far the radar looks. Raises OptionError where that is less than its reach."""
    if sees_m is None:
        return reach_m
    if sees_m < reach_m:
        raise OptionError("sees_m", sees_m, f"reach_m ({reach_m:g}) or more; {reach_m * 1.1:g} leaves a good margin")
    return sees_m
