"""Bars by hour as an SVG element, drawn with the standard library's ElementTree.

Invariants: colours and fonts come from the page's CSS classes, so that dark, light and print are the page's affair;
drawn on 360 units of width, the narrowest phone, so that text never shrinks below its size there; an hour without a
figure has no bar, an hour with 0 has a line on the ground; each bar says its hour and value to whoever points at it.
"""

import dataclasses
import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence

WIDTH, HEIGHT = 360.0, 150.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 6.0, 8.0, 20.0
TICKS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """One figure for each hour, None where it is not known. ``style`` is a CSS class."""

    name: str
    values: Sequence[float | None]
    style: str


def bars(series: Sequence[Series], unit: str, digits: int) -> ET.Element:
    """A chart of one or two series over the hours of the day."""
    top, step = scale([value for one in series for value in one.values if value is not None], whole=digits == 0)
    ground = HEIGHT - BOTTOM
    svg = ET.Element("svg", {"viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "role": "img"})
    for tick in range(round(top / step) + 1):
        value = tick * step
        y = _y(value, top)
        ET.SubElement(svg, "line", _numbers(x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y) | {"class": "grid"})
        label = ET.SubElement(svg, "text", _numbers(x=LEFT - 4, y=y + 3.5) | {"class": "end"})
        label.text = f"{value:g}"
    hours = len(series[0].values)
    slot = (WIDTH - LEFT - RIGHT) / hours
    width = slot * 0.8 / len(series)
    for hour in range(0, hours + 1, 3):
        label = ET.SubElement(svg, "text", _numbers(x=LEFT + hour * slot, y=HEIGHT - 6) | {"class": "mid"})
        label.text = str(hour)
    for number, one in enumerate(series):
        for hour, figure in enumerate(one.values):
            if figure is None:
                continue
            y = min(_y(figure, top), ground - 0.6)
            x = LEFT + hour * slot + slot * 0.1 + number * width
            bar = ET.SubElement(svg, "rect", _numbers(x=x, y=y, width=width, height=ground - y) | {"class": one.style})
            ET.SubElement(bar, "title").text = f"{hour:02d}–{hour + 1:02d} {one.name}: {figure:.{digits}f} {unit}"
    return svg


def scale(values: Sequence[float], *, whole: bool = False) -> tuple[float, float]:
    """Top of the axis and the step of its labels: 1, 2 or 5 times a power of ten, at most TICKS of them above 0;
    ``whole`` for what is counted."""
    most = max([0.0, *values])
    if most < 1e-6:  # finer than any figure here is printed
        return 1.0, 1.0
    step = 10.0 ** math.floor(math.log10(most / TICKS))
    while most / step > TICKS + 1e-9:
        step *= 2.5 if f"{step:e}"[0] == "2" else 2
    step = max(step, 1.0) if whole else step
    return math.ceil(most / step - 1e-9) * step, step


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - max(0.0, value) / top)


def _numbers(**values: float) -> dict[str, str]:
    return {name: f"{value:.2f}".rstrip("0").rstrip(".") for name, value in values.items()}
