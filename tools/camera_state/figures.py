"""The figures of ``python -m tools.camera_state`` and the bar of each.

A line has the keys of the contract (name, value, unit, bar, ok); ``ok`` is null where there is no bar.
"""

import dataclasses

BLUR_MIN, MOVED_S = 10.0, 60.0
"""FAULTS rows 20 and 21."""


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One line. ``at_least``: the bar is the least allowed, not the most."""

    unit: str
    bar: float | None
    zh: str
    en: str
    at_least: bool = False


FIGURES: dict[str, Figure] = {
    "camera_blurred_found_pct": Figure(
        "%", 100, "脏污、水珠、起雾的镜头,被发现的", "dirty, dropped, steamed lenses that were noticed", at_least=True
    ),
    "camera_blurred_slowest_min": Figure("min", BLUR_MIN, "同上,最慢一次", "the same, the slowest"),
    "camera_moved_found_pct": Figure(
        "%", 100, "被转动的摄像机,被发现的(日、夜、雨)", "cameras turned by day, night, in rain that were noticed", True
    ),
    "camera_moved_slowest_s": Figure("s", MOVED_S, "同上,最慢一次", "the same, the slowest"),
    "camera_quiet_hours": Figure("h", 24, "一切正常的合成时段", "hours made in which nothing was wrong", at_least=True),
    "camera_false_alarms": Figure("", 0, "其间的误报", "faults told in them"),
    "camera_false_fog_pct": Figure(
        "%", 0, "其间误报能见度低于 200 米的时间", "of them with a visibility below 200 m told"
    ),
    "camera_dazzled_found_pct": Figure(
        "%", 100, "夜间被车灯晃眼的画面,当帧就不算的", "night pictures with a beam in the lens, ignored at once", True
    ),
    "camera_dazzled_false_pct": Figure("%", 0, "平常的夜间画面被当作晃眼的", "ordinary night pictures ignored"),
    "camera_visibility_error_pct": Figure("%", 15, "能见度误差,中位(50 至 300 米,合成雾)", "visibility, median error"),
    "camera_visibility_error_max_pct": Figure("%", None, "同上,最大", "the same, largest (50 to 300 m, drawn fog)"),
    "camera_state_ms": Figure("ms", 0.5, "每秒 10 帧时,每帧平均用时", "a picture at ten a second, mean"),
    "camera_state_max_ms": Figure("ms", None, "同上,最长一帧", "the same, the longest"),
}


def line(name: str, value: float | None) -> dict[str, object]:
    """The line of one figure; a value that could not be measured is not ok."""
    figure = FIGURES[name]
    ok = None
    if figure.bar is not None:
        ok = value is not None and (value >= figure.bar if figure.at_least else value <= figure.bar)
    return {
        "name": name,
        "value": None if value is None else round(value, 3),
        "unit": figure.unit,
        "bar": figure.bar,
        "ok": ok,
    }
