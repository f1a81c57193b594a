"""The six clips. Their ids are a contract with the site file, the command line and MQTT; the voice may get better.

A driver hears direction first, then what to do; at most eight characters and two seconds, so that a clip is over
while it still matters. The pinyin column is what the voice is fed: tone numbers leave no character to misread.
"""

import dataclasses
import pathlib

from hal.errors import HalError

LONGEST_S = 2.0
RENDERED = pathlib.Path(__file__).with_name("rendered")
"""Where ``python -m tools.voice.render`` puts the WAV files; generated, not in git."""


@dataclasses.dataclass(frozen=True, slots=True)
class Clip:
    """One clip: what it says, how it is pronounced, what it means."""

    id: str
    text: str
    pinyin: str
    english: str


_TABLE = (
    Clip("left_vehicle", "左侧来车,注意", "zuo3 ce4 lai2 che1, zhu4 yi4", "vehicle from the left, take care"),
    Clip("right_vehicle", "右侧来车,注意", "you4 ce4 lai2 che1, zhu4 yi4", "vehicle from the right, take care"),
    Clip("both_vehicles", "左右来车,注意", "zuo3 you4 lai2 che1, zhu4 yi4", "vehicles from both sides, take care"),
    Clip(
        "vehicle_ahead",
        "前方来车,注意避让",
        "qian2 fang1 lai2 che1, zhu4 yi4 bi4 rang4",
        "vehicle ahead, give way (side not known)",
    ),
    Clip(
        "junction_ahead",
        "路口来车,减速慢行",
        "lu4 kou3 lai2 che1, jian3 su4 man4 xing2",
        "vehicle at the junction, slow down (main road)",
    ),
    Clip("self_test", "支路哨兵自检", "zhi1 lu4 shao4 bing1 zi4 jian3", "Branch Sentinel self-test"),
)

CLIPS = {clip.id: clip for clip in _TABLE}


def known(speaker: str, clip: str) -> Clip:
    """The clip of that id. Raises HalError naming the ids there are."""
    found = CLIPS.get(clip)
    if found is None:
        raise HalError(f"speaker {speaker}: no clip {clip!r}; there are {', '.join(CLIPS)}")
    return found
