"""The demonstration's words, Chinese and English side by side."""

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("支路哨兵 · 演示路口", "Branch Sentinel · demonstration junction"),
    "footage": ("取得支路录像……", "getting the street video …"),
    "no_broker": (
        "没有 mosquitto(apt-get install mosquitto):消息无人接收,最后一项会不通过",
        "no mosquitto (apt-get install mosquitto): nobody takes the messages, and the last check will fail",
    ),
    "starting": ("启动节点……", "starting the node …"),
    "booting": ("自检中:灯先亮着,10 秒健康后才熄", "self-test: lamps lit until 10 s of health earn dark"),
    "guarding": ("值守中", "guarding"),
    "draining": ("停止值守,等消息送完……", "stopped guarding, waiting for messages …"),
    "approach": ("来向", "approach"),
    "who": ("谁", "who"),
    "distance": ("距离 m", "distance m"),
    "speed": ("速度 km/h", "speed km/h"),
    "tta": ("到达 s", "arrives in s"),
    "state": ("状态", "state"),
    "sensor": ("传感器", "sensor"),
    "users": ("道路使用者", "road users"),
    "nobody": ("无人无车", "nobody"),
    "faces": ("面", "faces"),
    "level": ("级别", "level"),
    "health": ("健康", "health"),
    "cause": ("原因", "cause"),
    "lamps": ("灯", "lamps"),
    "voice": ("语音", "voice"),
    "no_voice": ("尚未播报", "nothing said yet"),
    "muted": ("静音", "muted"),
    "messages": ("消息", "messages"),
    "journalled": ("入账", "journalled"),
    "confirmed": ("平台确认", "confirmed"),
    "received": ("订阅者收到", "subscriber got"),
    "lamp_latency": ("来车帧→灯", "frame → lamp"),
    "ago": ("{s} 秒前", "{s} s ago"),
    "leaves": ("离开", "leaves"),
    "comes": ("驶来", "comes"),
    "vehicle": ("车辆", "vehicle"),
    "walker": ("行人", "walker"),
    "two_wheeler": ("两轮车", "two-wheeler"),
    "tricycle": ("三轮车", "tricycle"),
    "car": ("小客车", "car"),
    "bus": ("客车", "bus"),
    "truck": ("货车", "truck"),
    "long_truck": ("汽车列车", "long truck"),
    "tentative": ("待确认", "tentative"),
    "coasting": ("推算", "coasting"),
    "waiting": ("等待", "waiting"),
    "parked": ("停放", "parked"),
    "clear": ("无", "clear"),
    "caution": ("注意", "caution"),
    "alert": ("警报", "alert"),
    "dark": ("熄", "dark"),
    "fault": ("故障", "fault"),
    "ok": ("正常", "ok"),
    "degraded": ("降级", "degraded"),
    "main_east": ("主路东", "main east"),
    "main_west": ("主路西", "main west"),
    "branch_south": ("支路南", "branch south"),
    "left_vehicle": ("左侧来车", "vehicle from the left"),
    "right_vehicle": ("右侧来车", "vehicle from the right"),
    "both_vehicles": ("两侧来车", "vehicles from both sides"),
    "vehicle_ahead": ("前方来车", "vehicle ahead"),
    "junction_ahead": ("前方路口", "junction ahead"),
    "passed": ("通过", "pass"),
    "failed": ("不通过", "FAIL"),
    "summary": ("小结", "summary"),
    "sum_vehicles": ("到达的车辆", "vehicles that arrived"),
    "sum_warned": ("都提前足够久亮灯", "each warned early enough"),
    "sum_lead": ("提前时间 最短 / 中位", "lead time, min / median"),
    "sum_warnings": ("亮灯次数", "warnings (dark → lit)"),
    "sum_without_cause": ("无故亮灯", "lit without cause"),
    "sum_camera": ("摄像机检测促成的亮灯", "lamp changes the camera caused"),
    "sum_events": ("事件:入账 / 订阅者收到", "events: journalled / received"),
    "sum_latency": ("帧→灯 p50 / p99", "frame → lamp, p50 / p99"),
    "sum_noticed": ("进入范围→亮灯 p50 / p99", "enters horizon → lamp, p50 / p99"),
    "sum_said": ("语音播报", "voice messages"),
    "no_arrival": ("没有车到达", "no vehicle arrived"),
    "late_warning": (
        "车 {id}({approach})第 {at} 秒到达:应提前 {owed} 秒,实际 {lead}",
        "vehicle {id} ({approach}) arrived at {at} s: owed {owed} s, got {lead}",
    ),
    "no_warning": ("没有亮灯", "no warning"),
    "unlit_stretch": ("{lamp} 在 {a}–{b} 秒无故亮着", "{lamp} lit without cause from {a} to {b} s"),
    "not_equal": (
        "没收到 {missing},不认识 {unknown},内容不同 {different},读不懂 {unreadable}",
        "missing {missing}, unknown {unknown}, different {different}, unreadable {unreadable}",
    ),
    "slow_machine": (
        "本机太忙:雷达数据曾中断 {s} 秒(超过 0.5 秒节点就判为失联)",
        "this machine is too busy: the radars' bytes paused for {s} s (over 0.5 s the node calls them stale)",
    ),
    "kept": ("留存在", "kept in"),
}


class Words:
    """The words of one language: ``words("key", name=value)``. A word that is not in the table is shown as it is."""

    def __init__(self, lang: str) -> None:
        self._column = 1 if lang == "en" else 0

    def __call__(self, key: str, **values: object) -> str:
        row = WORDS.get(key)
        text = key if row is None else row[self._column]
        return text.format(**values) if values else text
