"""The report's words, Chinese and English side by side."""

from collections.abc import Mapping

from device.cli.language import language

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("支路哨兵日报", "Branch Sentinel · the day"),
    "for_day": ("{day}(当地时间)", "{day} (local time)"),
    "nothing": ("{day} 没有任何记录。", "Nothing was recorded on {day}."),
    "so_far": ("统计到 {until}", "counted until {until}"),
    "clock_floor": (
        "这一天有 {count} 条记录的时钟不可信,时间可能是错的。",
        "On this day {count} events were written with a clock that cannot be trusted: their times may be wrong.",
    ),
    "clock_rtc": (
        "{count} 条记录的时间来自硬件时钟(没有校时),可能差几秒。",
        "{count} events have their time from the hardware clock alone: it may be seconds off.",
    ),
    "undated": (
        "另有 {count} 条记录写入时时钟不可信,不知道是哪一天的,没有计入。",
        "{count} further events were written with a clock that cannot be trusted; nobody knows their day, they are "
        "left out.",
    ),
    "odd": ("{count} 条记录看不懂,没有计入。", "{count} events could not be understood and are left out."),
    "cut_short": (
        "日志没有读完:{reason}。以下只是读到的部分。",
        "The journal was cut short: {reason}. What follows is what could be read.",
    ),
    "no_journal": (
        "读不了日志:{reason}。请看 --journal 或 --state-dir 指的位置。",
        "The journal cannot be read: {reason}. See where --journal or --state-dir points.",
    ),
    "no_duty": ("还没有亮灯时间的统计(每十分钟一次)。", "Lit time is not known yet (it is written every ten minutes)."),
    "passed": ("{count} 个道路使用者通过路口。", "{count} road users passed."),
    "passed_none": ("没有人车通过路口。", "Nobody passed."),
    "warned": (
        "其中 {count} 个要提前告知,95 % 提前 {p5} 秒以上,一半提前 {median} 秒以上。",
        "Others were to be warned of {count} of them: of 95 % at least {p5} s before arrival, of half at least "
        "{median} s.",
    ),
    "unwarned": (
        "{count} 个到达时灯没有亮!",
        "{count} arrived with the lamp dark!",
    ),
    "lit_share": (
        "{face} 的灯亮了 {pct} %,亮起 {times} 次。",
        "The lamp of {face} was lit {pct} % of the time, {times} times.",
    ),
    "fault_share": ("{face} 有 {minutes} 分钟处于故障(灯闪)。", "{face} was in fault (flashing) for {minutes} min."),
    "near": ("{count} 次险情。", "{count} near misses."),
    "near_none": ("没有险情。", "No near miss."),
    "slowed": (
        "见到灯亮的(没有停车的 {count} 个)从告警到路口平均减速 {kmh} 公里/小时;"
        "没见到灯亮的 {others} 个平均减速 {other_kmh} 公里/小时。",
        "Those that met a lit lamp ({count} that did not stop) slowed by {kmh} km/h on average between warning and "
        "line; the {others} that did not by {other_kmh} km/h.",
    ),
    "needless": (
        "{face} 自己来的 {arrivals} 个当中,{needless} 个({pct} %)碰到灯亮却没有来车。",
        "Of the {arrivals} of its own at {face}, {needless} ({pct} %) met a lit lamp with nobody coming.",
    ),
    "hours": ("分时", "By hour"),
    "faces": ("各面", "By face"),
    "classes": ("通过的道路使用者", "Who passed"),
    "near_misses": ("险情", "Near misses"),
    "hour": ("时", "hour"),
    "face": ("面", "face"),
    "activations": ("亮起(次)", "lit (times)"),
    "alerts": ("警报(次)", "alerts (times)"),
    "lit_pct": ("亮灯占比(%)", "lit share (%)"),
    "lit_mean_pct": ("亮灯占比,各面平均(%)", "lit share, mean of faces (%)"),
    "fault_min": ("故障(分)", "fault (min)"),
    "passed_n": ("通过(个)", "passed"),
    "left_n": ("未到(个)", "left before"),
    "lead_median": ("提前量中位(秒)", "lead, median (s)"),
    "lead_p5": ("提前量最短5%(秒)", "lead, 5th pct. (s)"),
    "near_n": ("险情(次)", "near misses"),
    "warned_kmh": ("告警时(公里/时)", "warned (km/h)"),
    "line_kmh": ("路口(公里/时)", "line (km/h)"),
    "change_kmh": ("变化(公里/时)", "change (km/h)"),
    "own_n": ("自己来的(个)", "own arrivals"),
    "met_lit_n": ("碰到灯亮(个)", "met it lit"),
    "needless_n": ("白亮(个)", "needless"),
    "needless_pct": ("白亮占比(%)", "needless (%)"),
    "hard_n": ("急刹(次)", "hard braking"),
    "when": ("时间", "time"),
    "first": ("先过", "first"),
    "second": ("后过", "second"),
    "pet": ("PET(秒)", "PET (s)"),
    "ttc": ("TTC(秒)", "TTC (s)"),
    "alert_before": ("警报已亮(秒)", "in alert for (s)"),
    "recording": ("事件录制", "recording"),
    "class": ("类别", "class"),
    "count": ("个", "count"),
    "day_total": ("全天", "day"),
    "chart_lit": ("{face} 亮灯占比", "Lit share of {face}"),
    "chart_activations": ("亮起次数", "Times lit"),
    "chart_passed": ("通过人车", "Who passed"),
    "chart_lead": ("提前量", "Lead"),
    "chart_near": ("险情", "Near misses"),
    "chart_speed": ("见到灯亮的车速", "Speed of those that met a lit lamp"),
    "chart_own": ("自己来的与白亮", "Own arrivals, and needless"),
    "series_all": ("全部", "all"),
    "series_alert": ("其中警报", "of which alert"),
    "series_passed": ("通过", "passed"),
    "series_left": ("未到路口", "left before the line"),
    "series_median": ("中位", "median"),
    "series_p5": ("最短 5 %", "5th percentile"),
    "series_warned": ("告警时", "when warned"),
    "series_line": ("路口", "at the line"),
    "series_own": ("自己来的", "own arrivals"),
    "series_needless": ("白亮", "needless"),
    "unit_pct": ("%", "%"),
    "unit_times": ("次", "times"),
    "unit_users": ("个", "road users"),
    "unit_s": ("秒", "s"),
    "unit_kmh": ("公里/小时", "km/h"),
    "def_lit": (
        "灯亮(注意或警报,不含故障)的时间占有人看守的时间。",
        "Time lit (caution or alert, not fault) of the time it was watched.",
    ),
    "def_activations": (
        "从灭到亮的次数,各面相加;警报是其中有两方可能相遇的。",
        "Times it went from dark to lit, all faces; alert: two could meet.",
    ),
    "def_passed": (
        "到达路口线(冲突点)的人车;没到的:拐走、停下、或者走出了传感器的视野。",
        "Road users that reached the line (the conflict point); left before: turned off, stopped, or out of sight.",
    ),
    "def_lead": (
        "看守这个来向的灯为对方连续亮到它到达的时间,从看见它时算起。最短 5 %:每 20 个里最短的那个。",
        "How long a face that watches its approach had been lit without a break when it arrived, counted from its "
        "first sight. 5th percentile: the shortest of each 20.",
    ),
    "def_near": (
        "支路与主路两方:PET < 3 秒(先过的离开到后过的到达),或者停不住且 TTC < 1.5 秒。"
        "由节点估计,不知道谁往哪里转:个别的看录制,多少和变化才可比。",
        "One on the branch and one on the main road: PET < 3 s (from the first one's leaving to the second one's "
        "coming), or TTC < 1.5 s when they can no longer stop in good order. The node's estimate; it does not know who "
        "turns where: compare counts, and see the recording of a single one.",
    ),
    "def_speed": (
        "自己面前的灯亮着、没有停车的人车:灯亮时的车速和到路口线时的车速,平均值。",
        "Those that met their own face lit and did not stop: speed when it was lit and at the line, means.",
    ),
    "def_own": (
        "到达自己这一面的人车;白亮:灯亮着,而在它前后(保持时间到预警时间之内)冲突来向没有人车。",
        "Road users at their own face; needless: it was lit, and from the hold before to the horizon after nobody came "
        "on a conflicting approach.",
    ),
    "def_hard": ("一秒内减速超过 3.4 米/秒² 的人车。", "Road users that slowed by more than 3.4 m/s² over one second."),
    "walker": ("行人", "walker"),
    "two_wheeler": ("两轮车", "two-wheeler"),
    "tricycle": ("三轮车", "tricycle"),
    "car": ("小客车", "car"),
    "bus": ("客车", "bus"),
    "truck": ("货车", "truck"),
    "long_truck": ("汽车列车", "long truck"),
    "unknown": ("未知", "unknown"),
    "written": ("网页写到 {path}", "page written to {path}"),
    "cannot_write": ("写不了 {path}:{reason}", "cannot write {path}: {reason}"),
    "bad_day": ("--day {day}:请写成 2026-11-22 这样", "--day {day}: write it like 2026-11-22"),
    "numbers": ("数字", "The numbers"),
    "stream": ("日志 {path},编号 {stream}", "journal {path}, stream {stream}"),
}


def say(key: str, **values: object) -> str:
    """A word or sentence in the language in use."""
    zh, en = WORDS[key]
    return (zh if language() == "zh" else en).format(**values)


def number(value: float | None, digits: int = 1) -> str:
    """A figure for people; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"
