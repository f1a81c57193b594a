"""The day as one HTML page that needs nothing else: no script, no request, CSS and SVG inside it.

Built as a tree and not as text, so that nothing from a journal or a site file can become markup. The page forbids
itself every request (Content-Security-Policy).
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence

from device.cli.language import language
from tools.report.charts import Series, bars
from tools.report.figures import Day, Duty, Span, percentile
from tools.report.tables import Table
from tools.report.words import say

CSS = """
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5a646e;--line:#d5dade;--ground:#fff;--card:#f3f5f7;
--a:#c77700;--b:#2f6fa7;--warn:#a32020}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a3adb6;--line:#3b444c;--ground:#14181b;--card:#1e2428;
--a:#f0a63a;--b:#6cb0e8;--warn:#ff8d85}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1rem;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
.sub,figcaption,.foot{color:var(--soft);font-size:.875rem}
.top{background:var(--card);border-radius:.5rem;padding:.75rem 1rem .75rem 2rem;margin:1rem 0}
.top li:nth-child(-n+2){font-weight:600}
.mind{color:var(--warn);padding-left:2rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1.5rem}
figure{margin:0;break-inside:avoid}figure h3{font-size:1rem;margin:0}
svg{display:block;width:100%;height:auto}svg text{font-size:10px;fill:var(--soft)}
.end{text-anchor:end}.mid{text-anchor:middle}
.grid{stroke:var(--line);stroke-width:.6}.a{fill:var(--a)}.b{fill:var(--b)}
.key{display:flex;flex-wrap:wrap;gap:0 1rem;font-size:.875rem}
.key i{display:inline-block;width:.75em;height:.75em;margin-right:.35em}
.key .a{background:var(--a)}.key .b{background:var(--b)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th{vertical-align:bottom;color:var(--soft);font-weight:600;white-space:normal;min-width:3.5rem;overflow-wrap:normal}
.l{text-align:left}tr.sum td{font-weight:600}
@media print{:root{color-scheme:light;--ink:#000;--soft:#333;--line:#bbb;--ground:#fff;--card:#fff;--a:#c77700;
--b:#2f6fa7;--warn:#900}body{max-width:none;padding:0;font-size:11px;print-color-adjust:exact;
-webkit-print-color-adjust:exact}.charts{grid-template-columns:1fr 1fr}.wide{overflow:visible}
table{font-size:8px}th,td{padding:.15rem .25rem;white-space:normal;min-width:0}tr{break-inside:avoid}}
"""

Value = Callable[[Span], float | None]


def page(
    day: Day,
    heading: str,
    sub: str,
    highlights: Sequence[str],
    cautions: Sequence[str],
    tables: Iterable[Table],
    foot: str,
) -> str:
    """The page as HTML text."""
    html = ET.Element("html", {"lang": "zh-CN" if language() == "zh" else "en"})
    head = ET.SubElement(html, "head")
    ET.SubElement(head, "meta", {"charset": "utf-8"})
    ET.SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    ET.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    ET.SubElement(head, "title").text = f"{heading} {sub}"
    ET.SubElement(head, "style").text = CSS
    body = ET.SubElement(html, "body")
    ET.SubElement(body, "h1").text = heading
    ET.SubElement(body, "div", {"class": "sub"}).text = sub
    _list(body, cautions, "mind")
    _list(body, highlights, "top")
    if day.events:
        charts = ET.SubElement(body, "div", {"class": "charts"})
        _charts(charts, day)
    for table in tables:
        _table(body, table)
    if day.events:
        ET.SubElement(body, "p", {"class": "foot"}).text = say("def_hard")
    ET.SubElement(body, "p", {"class": "foot"}).text = foot
    return "<!DOCTYPE html>\n" + ET.tostring(html, encoding="unicode", method="html") + "\n"


def _charts(parent: ET.Element, day: Day) -> None:
    def values(of: Value) -> list[float | None]:
        return [of(span) for span in day.hours]

    def known(of: Value) -> list[float | None]:
        # Before the node ran and after now there is no 0 but nothing.
        return [
            of(span) if any(duty.watched_s for duty in span.faces.values()) or of(span) else None for span in day.hours
        ]

    def chart(title: str, meaning: str, unit: str, digits: int, *series: tuple[str, list[float | None]]) -> None:
        drawn = [Series(name, numbers, style) for (name, numbers), style in zip(series, "ab", strict=False)]
        if any(value is not None for one in drawn for value in one.values):
            _figure(parent, title, say(meaning), unit, digits, drawn)

    for face in sorted(day.total.faces):
        title = say("chart_lit", face=face)
        chart(title, "def_lit", say("unit_pct"), 1, (title, values(_lit_pct(face))))
    chart(
        say("chart_activations"),
        "def_activations",
        say("unit_times"),
        0,
        (say("series_all"), known(lambda span: span.all_faces().activations)),
        (say("series_alert"), known(lambda span: span.all_faces().alerts)),
    )
    chart(
        say("chart_passed"),
        "def_passed",
        say("unit_users"),
        0,
        (say("series_passed"), known(lambda span: span.passed.total())),
        (say("series_left"), known(lambda span: span.left.total())),
    )
    chart(
        say("chart_lead"),
        "def_lead",
        say("unit_s"),
        1,
        (say("series_median"), values(lambda span: percentile(span.leads_s, 50))),
        (say("series_p5"), values(lambda span: percentile(span.leads_s, 5))),
    )
    chart(
        say("chart_speed"),
        "def_speed",
        say("unit_kmh"),
        1,
        (say("series_warned"), values(lambda span: span.warned.warned_kmh())),
        (say("series_line"), values(lambda span: span.warned.line_kmh())),
    )
    chart(
        say("chart_near"),
        "def_near",
        say("unit_times"),
        0,
        (say("chart_near"), known(lambda span: span.near_misses)),
    )
    chart(
        say("chart_own"),
        "def_own",
        say("unit_users"),
        0,
        (say("series_own"), known(lambda span: span.all_faces().arrivals)),
        (say("series_needless"), known(lambda span: span.all_faces().needless)),
    )


def _lit_pct(face: str) -> Value:
    return lambda span: span.faces.get(face, Duty()).lit_pct


def _figure(parent: ET.Element, title: str, meaning: str, unit: str, digits: int, series: Sequence[Series]) -> None:
    figure = ET.SubElement(parent, "figure")
    ET.SubElement(figure, "h3").text = f"{title} ({unit})"
    if len(series) > 1:
        key = ET.SubElement(figure, "div", {"class": "key"})
        for one in series:
            entry = ET.SubElement(key, "span")
            ET.SubElement(entry, "i", {"class": one.style}).tail = one.name
    svg = bars(series, unit, digits)
    svg.set("aria-label", title)
    figure.append(svg)
    ET.SubElement(figure, "figcaption").text = meaning


def _table(parent: ET.Element, table: Table) -> None:
    ET.SubElement(parent, "h2").text = table.title
    grid = ET.SubElement(ET.SubElement(parent, "div", {"class": "wide"}), "table")
    head = ET.SubElement(ET.SubElement(grid, "thead"), "tr")
    for index, column in enumerate(table.columns):
        ET.SubElement(head, "th", _left(table, index) | {"scope": "col"}).text = column
    body = ET.SubElement(grid, "tbody")
    for row in table.rows:
        line = ET.SubElement(body, "tr", {"class": "sum"} if row[0] == say("day_total") else {})
        for index, cell in enumerate(row):
            ET.SubElement(line, "td", _left(table, index)).text = cell


def _left(table: Table, index: int) -> dict[str, str]:
    return {"class": "l"} if index in table.text_columns else {}


def _list(parent: ET.Element, lines: Sequence[str], style: str) -> None:
    if lines:
        found = ET.SubElement(parent, "ul", {"class": style})
        for line in lines:
            ET.SubElement(found, "li").text = line
