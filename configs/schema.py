"""The site file as pydantic models: what a junction is, what is mounted there, and the policy numbers.

Invariants: every key with a dimension carries its unit; unknown keys are refused; every field has a description in
Chinese and in English (``json_schema_extra["en"]``) and bounds. Options of a driver (``url``, ``pin``, …) are not
known here: they stay as extra keys of the device's entry and the driver itself checks them (hal.registry).
"""

import dataclasses
import enum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from configs import limits
from configs.errors import Problem, RuleError, Text, both
from configs.ground import problems as ground_problems

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Point = tuple[Fraction, Fraction]
Polygon = Annotated[list[Point], Field(min_length=3, max_length=32)]


def setting(zh: str, en: str, **kwargs: Any) -> Any:
    """A field with its description in both languages; the rest goes to pydantic's Field."""
    return Field(description=zh, json_schema_extra={"en": en}, **kwargs)


class Strict(BaseModel):
    """Base of every model here: unknown keys are refused, values are frozen after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Device(BaseModel):
    """Base of a device's entry: keys that are not fields here are options of its driver."""

    model_config = ConfigDict(extra="allow", frozen=True)

    driver: str = setting("驱动名", "driver name")

    def options(self) -> dict[str, Any]:
        """The keys that belong to the driver."""
        return dict(self.model_extra or {})


class RoadUser(enum.StrEnum):
    """Classes of road user. The order is of no meaning; the gap of each is a policy setting."""

    WALKER = "walker"
    TWO_WHEELER = "two_wheeler"
    TRICYCLE = "tricycle"
    CAR = "car"
    BUS = "bus"
    TRUCK = "truck"
    LONG_TRUCK = "long_truck"


class Road(enum.StrEnum):
    """Which road an approach belongs to: the one with priority, or the one that must give way."""

    MAIN = "main"
    BRANCH = "branch"


class CautionRequires(enum.StrEnum):
    """Whether caution needs someone on the face's own approach."""

    ANY = "any"
    OWN_PRESENT = "own_present"


class SiteInfo(Strict):
    id: Annotated[str, StringConstraints(pattern=r"^\d{6}/[a-z][a-z0-9_]{0,31}$")] = setting(
        "站点编号:六位行政区划代码/节点号", "site id: six-digit county code / node id"
    )
    name: str = setting("路口名称", "name of the junction", min_length=1, max_length=64)
    design_user: RoadUser = setting(
        "设计车型:支路上来者未知时按它取通过间隙",
        "design road user: its gap is used while nobody knows who is on the branch",
        default=RoadUser.TRUCK,
    )


class OneWay(enum.StrEnum):
    """Which way an approach may be driven: towards the junction, or away from it."""

    IN = "in"
    OUT = "out"


class TruckRightTurn(Strict):
    """Where lorries turn right and must stop first (货车右转必停).

    Seen by a calibrated camera alone: it takes the class and the place across the road."""

    lateral_from_m: float = setting(
        "右转车道横向范围的一边(米,驶入者左侧为正)",
        "one side of the right-turn lane, positive to the left seen by a driver who comes in",
        ge=-30,
        le=30,
    )
    lateral_to_m: float = setting(
        "右转车道横向范围的另一边(米)", "the other side of the right-turn lane", ge=-30, le=30
    )
    line_m: float = setting(
        "停止线到冲突点的距离(米);摄像机要看得见线后 3 米",
        "distance from the stop line to the conflict point; the camera must see 3 m past the line",
        default=5.0,
        ge=3,
        le=50,
    )

    @model_validator(mode="after")
    def _has_width(self) -> Self:
        if self.lateral_from_m >= self.lateral_to_m:
            raise RuleError(
                [
                    _rule(
                        "lateral_from_m",
                        "lateral_from_m 要小于 lateral_to_m",
                        "lateral_from_m must be less than lateral_to_m",
                        self.lateral_from_m,
                    )
                ]
            )
        return self


class Approach(Strict):
    road: Road = setting("主路或支路", "main road or branch road")
    limit_kmh: float = setting("限速(公里/小时)", "speed limit in km/h", ge=5, le=120)
    conflicts: list[Id] = setting("与哪些来向冲突", "approaches it conflicts with", min_length=1, max_length=7)
    bearing_deg: float | None = setting(
        "来向方位角(从冲突点看,正北为0,顺时针);不填则语音不说左右",
        "compass bearing of the approach seen from the conflict point; without it the voice names no side",
        default=None,
        ge=0,
        lt=360,
    )
    lead_min_s: float | None = setting(
        "本来向的来车至少要提前几秒预警;传感器给不到时拒绝这份配置",
        "seconds of warning this approach must have at its limit; refused where the sensors cannot give them",
        default=None,
        ge=1,
        le=30,
    )
    one_way: OneWay | None = setting(
        "单行:in 只许驶向路口,out 只许驶离;不填为双向",
        "one-way: in = only towards the junction, out = only away from it; both ways if empty",
        default=None,
    )
    truck_right_turn: TruckRightTurn | None = setting(
        "货车右转必停的车道(要有标定过的摄像机)",
        "the lane in which lorries must stop before turning right (needs a calibrated camera)",
        default=None,
    )


BEND_SLOPE_MOST = 3.0
"""Where the line of sight crosses the road this steeply (70°) the radial speed says nothing about arrival."""


class BendPoint(Strict):
    """One pair that a technician measures on a bend: a car stops, the radar says one, a tape or the car the other."""

    range_m: float = setting("雷达测得的直线距离(米)", "straight line as the radar measures it, metres", gt=0, le=400)
    along_m: float = setting(
        "同一点沿路到雷达脚下的距离(米)", "the same along the road, from the radar's foot", gt=0, le=600
    )


class Radar(Device):
    approach: Id = setting("照看的来向", "approach it watches")
    to_conflict_m: float = setting(
        "雷达沿来向到冲突点的距离(米),加在测距上",
        "distance from the radar to the conflict point along the approach, added to what it measures",
        default=0.0,
        ge=-50,
        le=300,
    )
    beside_m: float = setting(
        "雷达到所看车道右侧(慢行者走的地方)的横向距离(米);用来把斜距换成沿路距离",
        "how far it hangs beside the lane's right side, where the slow ones ride and walk; turns slanted ranges into "
        "distances along the road",
        default=2.5,
        ge=0,
        le=15,
    )
    width_m: float = setting(
        "驶来各车道的总宽(米);最远车道里的车按它算,免得晚报",
        "how wide the lanes that come in are together; whoever drives in the farthest one is warned of by it in time",
        default=3.5,
        ge=0,
        le=20,
    )
    bend: list[BendPoint] | None = setting(
        "弯道:由近及远的距离对照,至少两对;填了就不用 beside_m",
        "on a bend: pairs of distances from near to far, two or more; they take the place of beside_m",
        default=None,
        min_length=2,
        max_length=16,
    )
    reach_m: float = setting("有效作用距离(米)", "how far it sees a car, in metres", default=100.0, ge=5, le=400)

    @model_validator(mode="after")
    def _bend_rises(self) -> Self:
        for index in range(1, len(self.bend or ())):
            before, after = (self.bend or [])[index - 1 : index + 1]
            range_m, along_m = after.range_m - before.range_m, after.along_m - before.along_m
            # A road cannot be shorter than the chord; the radar's own metre of rounding may make it look so.
            if range_m <= 0 or along_m <= 0 or along_m < range_m - 2.0 or along_m > BEND_SLOPE_MOST * range_m:
                raise RuleError(
                    [
                        _rule(
                            f"bend.{index}",
                            "range_m 和 along_m 都要比前一点大;沿路增加的不能比直线少 2 米以上,"
                            f"也不能超过它的 {BEND_SLOPE_MOST:g} 倍",
                            "range_m and along_m both above those of the point before; along the road no more than "
                            f"2 m less than along the line, and no more than {BEND_SLOPE_MOST:g} times as much",
                            f"{after.range_m:g}, {after.along_m:g}",
                        )
                    ]
                )
        return self


class Zones(Strict):
    wait: Polygon | None = setting("停车等待区(图像 0..1 坐标)", "wait zone, image coordinates 0..1", default=None)
    approach: Polygon | None = setting("驶近区(图像 0..1 坐标)", "approach zone, image coordinates 0..1", default=None)
    reach_m: float | None = setting(
        "摄像机一定看得见小汽车的距离(米,沿来向到冲突点):说明能提前多少;更远处只有摄像机看见的,不据以亮灯",
        "how far from the conflict point it surely sees a car: tells what lead it gives; whom it alone sees beyond "
        "lights no lamp",
        default=None,
        ge=5,
        le=200,
    )

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.wait is None and self.approach is None:
            raise RuleError(
                [_rule("", "摄像机的区域要有 wait、approach 或两个都有", "a camera zone needs wait, approach or both")]
            )
        return self


class GroundPoint(Strict):
    """A point that was found in the picture and measured on the road."""

    image: Point = setting("图像里的位置(0..1 坐标,左上角为原点)", "place in the picture, 0..1, origin top left")
    distance_m: float = setting(
        "沿来向到冲突点的距离(米)", "distance along the approach to the conflict point", ge=-20, le=200
    )
    lateral_m: float = setting(
        "离来向中线的横向距离(米),驶向路口的驾驶人的左边为正",
        "distance across the road, positive to the left seen by a driver who comes in",
        ge=-30,
        le=30,
    )


Ground = Annotated[list[GroundPoint], Field(min_length=4, max_length=16)]
"""Four points determine a plane; five or more show how well they fit."""


class Camera(Device):
    zones: dict[Id, Zones] = setting("每个来向的区域", "zones of each approach", min_length=1)
    ground: dict[Id, Ground] = setting(
        "路面标定:每个来向四个以上已知点;有了它,摄像机给出距离",
        "ground-plane calibration: four or more known points of each approach, by which the camera tells distances",
        default_factory=dict,
    )

    @model_validator(mode="after")
    def _ground_planes(self) -> Self:
        problems = []
        for approach, points in self.ground.items():
            if approach not in self.zones:
                problems.append(
                    Problem(
                        "rule",
                        path=f"ground.{approach}",
                        value=approach,
                        allowed=both(" | ".join(self.zones)),
                        params={
                            "detail": Text(
                                "标定的来向在这个摄像机的 zones 里没有区域",
                                "a calibrated approach needs a zone under this camera's zones",
                            )
                        },
                    )
                )
            problems += ground_problems(points, f"ground.{approach}")
        if problems:
            raise RuleError(problems)
        return self


class Lamp(Device):
    faces: list[Id] = setting("显示哪些面(来向)", "faces (approaches) it shows", min_length=1)
    to_conflict_m: float = setting(
        "灯沿来向到冲突点的距离(米)",
        "distance from the lamp to the conflict point along the approach",
        default=0.0,
        ge=0,
        le=300,
    )


class Heartbeat(Device):
    """The pin that keeps the external flasher quiet while guard lives."""


class Speaker(Device):
    faces: list[Id] = setting("对哪些面(来向)播放", "faces (approaches) it speaks to", min_length=1)


_GAP: dict[str, Any] = {"ge": limits.GAP_LEAST_S, "le": limits.GAP_MOST_S}


class Gaps(Strict):
    """The time gap the crossing road user needs, by class.

    Source: car, truck, long_truck from AASHTO intersection sight distance as printed by TxDOT; the others are
    settings: seven metres of carriageway at 1.0 m/s after 2.5 s (walker), at 0.9 m/s² from rest with 2 m of length
    after 2.5 s (two_wheeler), at 0.6 m/s² with 3.5 m after 2.5 s (tricycle); a bus accelerates like a truck.
    """

    walker: float = setting("行人", "walker", default=9.5, **_GAP)
    two_wheeler: float = setting("两轮车", "two-wheeler", default=7.0, **_GAP)
    tricycle: float = setting("三轮车", "tricycle", default=8.5, **_GAP)
    car: float = setting("小客车", "car", default=7.5, **_GAP)
    bus: float = setting("客车", "bus", default=9.5, **_GAP)
    truck: float = setting("单体货车", "single-unit truck", default=9.5, **_GAP)
    long_truck: float = setting("汽车列车", "combination truck", default=11.5, **_GAP)

    def of(self, user: RoadUser) -> float:
        """The gap of a class in seconds."""
        return float(getattr(self, user.value))


class Widening(Strict):
    """What night, a wet road and fog add to every horizon.

    Basis: no county publishes these. AASHTO's 2.5 s of reaction is a daytime figure for an expected object; at night a
    driver is about half a second later. Friction of wet asphalt is about 0.7 of dry, and who crosses counts on the
    other's easing off, which takes as much longer. Fog: the law cuts the speed at 200, 100 and 50 m of sight; drivers
    slow down less than that, so each step leaves them later, not safer.
    """

    night_s: float = setting("夜间加多少秒", "seconds added at night", default=0.5, ge=0, le=3)
    wet_s: float = setting("湿路加多少秒", "seconds added on a wet road", default=0.5, ge=0, le=3)
    wet_deceleration_factor: float = setting(
        "湿路减速度是干路的几倍", "deceleration on a wet road as a share of the dry one", default=0.7, ge=0.3, le=1
    )
    low_visibility_s: float = setting(
        "能见度每低于 200、100、50 米之一加多少秒",
        "seconds added at each step of visibility: below 200, 100 and 50 m",
        default=0.5,
        ge=0,
        le=3,
    )


class Policy(Strict):
    gap_s: Gaps = setting("各类道路使用者的通过间隙(秒)", "gap by crossing road user, seconds", default=Gaps())
    class_agreed_s: float = setting(
        "车型连续一致多久才按它取较短的间隙(秒)",
        "a class shortens the gap only after every picture agreed on it this long",
        default=1.5,
        ge=0.2,
        le=10,
    )
    car_proven_kmh: float = setting(
        "被认作小汽车的,快过这个速度(公里/小时)才按小汽车取间隙,之前按设计车型;拖拉机、农用三轮常被认成小汽车,"
        "这类车多的路口设 40;0 表示直接相信",
        "who is called a car counts as the design user until it has been faster than this, km/h: detectors call "
        "tractors and farm tricycles cars; 40 where there are many; 0 believes the word",
        default=0.0,
        ge=0,
        le=60,
    )
    widen: Widening = setting("夜间、湿路、低能见度的放宽", "widening by night, wet road and fog", default=Widening())
    hold_s: float = setting(
        "原因消失后保持(秒)",
        "hold after the cause has gone",
        default=3.0,
        ge=limits.HOLD_LEAST_S,
        le=limits.HOLD_MOST_S,
    )
    min_on_s: float = setting(
        "每次至少亮多久(秒):只闪一下的灯没人看得懂",
        "shortest time a face stays lit: a lamp that blinks once is not read",
        default=2.0,
        ge=limits.ON_LEAST_S,
        le=5,
    )
    caution_requires: CautionRequires = setting(
        "注意级是否要求本来向有人", "whether caution needs someone on the own approach", default=CautionRequires.ANY
    )
    branch_arrival_s: float = setting(
        "支路多少秒内到达算占用", "a branch user arriving within this counts as there", default=5.0, ge=2, le=15
    )
    reaction_s: float = setting("反应时间(秒)", "reaction time", default=2.5, ge=1, le=5)
    deceleration_mps2: float = setting("减速度(米/秒²)", "deceleration of a main-road user", default=3.4, ge=1, le=6)
    margin_s: float = setting(
        "主路余量(秒);与反应时间、减速度合起来不得少于停车视距",
        "margin for the main road; with reaction and deceleration it may not be under the stopping sight distance",
        default=2.0,
        ge=0,
        le=10,
    )
    stuck_cause_s: float = setting(
        "同一原因最多点亮(秒),超过判为卡死目标", "one cause may light a face this long", default=120.0, ge=30, le=600
    )
    parked_after_s: float = setting("等待多久算停放(秒)", "waiting becomes parked after", default=120.0, ge=30, le=600)

    @model_validator(mode="after")
    def _warns_in_time(self) -> Self:
        missing_s, kmh = limits.missing_margin_s(self.reaction_s, self.margin_s, self.deceleration_mps2)
        if missing_s > 0:
            problem = _rule(
                "margin_s",
                f"reaction_s、deceleration_mps2 和 margin_s 合起来,{kmh} km/h 的主路来车停不下来;"
                "请加大 margin_s 或 reaction_s,或减小 deceleration_mps2",
                f"with this reaction_s, deceleration_mps2 and margin_s a main-road user at {kmh} km/h cannot stop in "
                "time: raise margin_s or reaction_s, or lower deceleration_mps2",
                self.margin_s,
            )
            raise RuleError([_allowing(problem, f"≥ {limits.rounded_up(self.margin_s + missing_s):g}")])
        return self


class Pattern(Strict):
    period_s: float = setting("闪烁周期(秒)", "flash period; under 3 Hz", default=1.0, ge=limits.FLASH_SHORTEST_S, le=4)
    lit_pct: float = setting(
        "亮的占比(%);一次最多灭 1 秒",
        "lit share of the period; dark for 1 s at a time at most",
        default=50.0,
        ge=limits.LIT_LEAST_PCT,
        le=100,
    )

    @model_validator(mode="after")
    def _never_dark_for_long(self) -> Self:
        if limits.is_dark_too_long(self.period_s, self.lit_pct):
            problem = _rule(
                "lit_pct",
                f"这样闪,灯一次要灭 {limits.dark_s(self.period_s, self.lit_pct):.1f} 秒",
                f"flashing like this the lamp is dark for {limits.dark_s(self.period_s, self.lit_pct):.1f} s at a time",
                self.lit_pct,
            )
            allowed = f"period_s × (1 - lit_pct / 100) ≤ {limits.DARK_LONGEST_S:g} s"
            raise RuleError([_allowing(problem, allowed)])
        return self


class LampPatterns(Strict):
    caution: Pattern = setting("注意", "caution", default=Pattern())
    alert: Pattern = setting("警报", "alert", default=Pattern())
    fault: Pattern = setting("故障(与注意外观相同为好)", "fault; best left looking like caution", default=Pattern())


class Night(Strict):
    """When the lamp is dimmed and the horizon widened. With an untrusted clock it is bright, and the horizon wide."""

    start: TimeOfDay = setting("夜间开始", "night starts", default="20:00")
    end: TimeOfDay = setting("夜间结束", "night ends", default="06:00")
    brightness_pct: int = setting(
        "夜间亮度(%);夜间碰到 11:00-15:00 的只能是 100",
        "brightness at night; 100 where the night touches 11:00-15:00",
        default=100,
        ge=limits.BRIGHTNESS_LEAST_PCT,
        le=100,
    )

    @model_validator(mode="after")
    def _bright_by_day(self) -> Self:
        if limits.dims_by_day(self.start, self.end, self.brightness_pct):
            problem = _rule(
                "brightness_pct",
                "白天不许调暗:夜间时段伸进了中午",
                "a lamp is not dimmed by day, and this night reaches into noon",
                self.brightness_pct,
            )
            day = "-".join(limits.NEVER_DIM)
            allowed = Text(f"夜间避开 {day},或 brightness_pct 100", f"a night outside {day}, or brightness_pct 100")
            raise RuleError([dataclasses.replace(problem, allowed=allowed)])
        return self


class Conditions(Strict):
    """Road and weather as the county or a technician sets them; taken by a running node between two steps."""

    wet: bool = setting("路面是否湿滑", "whether the road is wet", default=False)
    visibility_m: float | None = setting(
        "能见度(米);不填为良好", "visibility in metres; good if empty", default=None, ge=5, le=5000
    )


class RoadEvents(Strict):
    """From when on a track is an event for the county. Basis: up to a tenth over the limit the law only
    warns, and on slow roads a tenth is within what a radar of 1 km/h steps and a noisy track give, hence the larger of
    10 % and 5 km/h; a radar's radial speed shrinks beside the lane, hence not nearer than 15 m; the others are
    settings, to be judged by what the county gets."""

    speeding_over_pct: float = setting("超过限速百分之几算超速", "above the limit by", default=10.0, ge=0, le=100)
    speeding_over_kmh: float = setting("且至少超过(公里/小时)", "and by at least", default=5.0, ge=0, le=50)
    speeding_from_m: float = setting(
        "只看离冲突点多远以外的车速(米)",
        "judged only farther than this from the conflict point",
        default=15.0,
        ge=0,
        le=100,
    )
    wrong_way_s: float = setting("逆行持续多久才算(秒)", "going the wrong way for", default=2.0, ge=0.5, le=30)
    stop_below_mps: float = setting("慢于多少算停下(米/秒)", "slower than this has stopped", default=1.0, ge=0.3, le=3)


class VolumePeriod(Strict):
    start: TimeOfDay = setting("开始", "starts at")
    volume_pct: int = setting("音量(%)", "volume", ge=0, le=100)


class QuietHours(Strict):
    enabled: bool = setting("是否启用", "whether quiet hours apply", default=True)
    start: TimeOfDay = setting("开始", "from", default="21:00")
    end: TimeOfDay = setting("结束", "until", default="07:00")


class Voice(Strict):
    quiet_hours: QuietHours = setting("静音时段(时钟不可信时一律静音)", "quiet hours", default=QuietHours())
    volume: list[VolumePeriod] = setting(
        "分时段音量",
        "volume from a time of day on",
        default_factory=lambda: [
            VolumePeriod(start="07:00", volume_pct=80),
            VolumePeriod(start="18:00", volume_pct=60),
        ],
        min_length=1,
        max_length=12,
    )
    speak_within_s: float = setting(
        "来者多少秒内到达才说话(太早说没人记得)", "speaks once the cause arrives within this", default=5.0, ge=2, le=12
    )
    lockout_s: float = setting("同一句最短间隔(秒)", "shortest time between messages", default=8.0, ge=2, le=120)


class DetectorSettings(Strict):
    manifest: str | None = setting(
        "检测模型:standard(不填即是)、tiny(给 Pi 4,更快)、清单路径,或县里下发的 county/名字.json",
        "the model: standard (taken if empty), tiny (for a Pi 4, faster), the path of a manifest, or county/NAME.json "
        "of the county's files",
        default=None,
    )
    threshold: float | None = setting(
        "置信度阈值;不填用清单里的", "score threshold", default=None, ge=0.05, le=limits.THRESHOLD_MOST
    )
    runtime: Literal["onnxruntime", "ncnn"] = setting(
        "推理引擎;ncnn 需另装,部分树莓派上更快",
        "inference runtime; ncnn is an extra, and faster on some Raspberry Pis",
        default="onnxruntime",
    )
    threads: int = setting("推理线程数", "inference threads", default=1, ge=1, le=4)
    max_fps: float = setting("每路最高帧率", "frames a second per camera at most", default=10.0, ge=1, le=30)


class Recording(Strict):
    images: bool = setting("是否录制图像(默认否,保护隐私)", "whether images are recorded", default=False)
    snapshots: bool = setting(
        "警报、险情、故障时是否各存一张照片(人和车都打上马赛克)",
        "whether a picture is kept of each alert, near miss and fault, with every person and vehicle pixelated",
        default=False,
    )
    snapshots_keep: int = setting("这种照片最多保留(张)", "such pictures kept at most", default=200, ge=1, le=5000)
    before_s: float = setting(
        "事件录制:事件之前保留(秒)", "incident recordings: kept from before the event", default=30.0, ge=5, le=60
    )
    after_s: float = setting(
        "事件录制:事件之后保留(秒)", "incident recordings: kept from after the event", default=30.0, ge=5, le=120
    )
    keep_count: int = setting(
        "事件录制最多保留(个);0 为不录", "incident recordings kept at most; 0 records none", default=3000, ge=0, le=5000
    )
    keep_mb: int = setting(
        "事件录制最多占用(兆字节)", "disk that incident recordings may take, in MB", default=1024, ge=8, le=8192
    )
    day_mb: int = setting(
        "事件录制一天写多少兆字节之后不再为警报录制(险情和故障照录)",
        "MB of incident recordings a day after which alerts begin none (near misses and faults still do)",
        default=400,
        ge=1,
        le=8192,
    )


class Bridge(Strict):
    url: Annotated[str, StringConstraints(pattern=r"^mqtts?://[^/\s]+(:\d+)?$")] = setting(
        "县平台地址 mqtts://主机:端口", "county broker, mqtts://host:port"
    )
    username: str | None = setting("用户名", "user name", default=None)
    password_file: str | None = setting("口令文件", "file that holds the password", default=None)
    ca_file: str | None = setting("根证书文件", "root certificate", default=None)
    cert_file: str | None = setting("节点证书文件", "certificate of the node", default=None)
    key_file: str | None = setting("节点私钥文件", "private key of the node", default=None)
    health_every_s: float = setting("健康上报周期(秒)", "health at least every", default=60.0, ge=5, le=600)
    backlog_per_s: float = setting("补发速率(条/秒)", "backlog rate", default=20.0, ge=1, le=10000)

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise RuleError(
                [_rule("cert_file", "cert_file 和 key_file 要么都有要么都没有", "cert_file and key_file go together")]
            )
        if self.url.startswith("mqtt://") and (self.ca_file or self.cert_file):
            raise RuleError(
                [
                    _rule(
                        "url",
                        "有 ca_file 或 cert_file 时 url 要以 mqtts:// 开头",
                        "ca_file and cert_file need a url that starts with mqtts://",
                        self.url,
                    )
                ]
            )
        return self


class SiteConfig(Strict):
    """One junction, whole."""

    site: SiteInfo = setting("站点", "the site")
    approaches: dict[Id, Approach] = setting("来向", "approaches", min_length=1, max_length=8)
    radars: dict[Id, Radar] = setting("雷达", "radars", default_factory=dict, max_length=8)
    cameras: dict[Id, Camera] = setting("摄像机", "cameras", default_factory=dict, max_length=4)
    lamps: dict[Id, Lamp] = setting("警示灯", "lamps", min_length=1, max_length=8)
    heartbeat: Heartbeat | None = setting("心跳引脚", "heartbeat pin", default=None)
    speakers: dict[Id, Speaker] = setting("喇叭", "speakers", default_factory=dict, max_length=8)
    policy: Policy = setting("策略", "policy", default=Policy())
    lamp_patterns: LampPatterns = setting("灯的闪烁方式", "flash patterns", default=LampPatterns())
    night: Night = setting("夜间", "night", default=Night())
    conditions: Conditions = setting("路面与天气", "road and weather", default=Conditions())
    road_events: RoadEvents = setting("交通违法事件的门限", "thresholds of road events", default=RoadEvents())
    voice: Voice = setting("语音", "voice", default_factory=Voice)
    detector: DetectorSettings = setting("检测模型", "detector", default=DetectorSettings())
    recording: Recording = setting("录制", "recording", default=Recording())
    bridge: Bridge | None = setting("县平台", "county platform", default=None)

    @model_validator(mode="after")
    def _references(self) -> Self:
        known = list(self.approaches)
        problems = []
        for name, approach in self.approaches.items():
            others = [other for other in known if other != name]
            problems += _unknown(f"approaches.{name}.conflicts", approach.conflicts, others)
        for name, radar in self.radars.items():
            if radar.approach not in self.approaches:
                problems.append(_unknown_approach(f"radars.{name}.approach", radar.approach, known))
        for name, camera in self.cameras.items():
            problems += [
                _unknown_approach(f"cameras.{name}.zones.{zone}", zone, known)
                for zone in camera.zones
                if zone not in self.approaches
            ]
        for name, lamp in self.lamps.items():
            problems += _unknown(f"lamps.{name}.faces", lamp.faces, known)
        for name, speaker in self.speakers.items():
            problems += _unknown(f"speakers.{name}.faces", speaker.faces, known)
        if self.policy.caution_requires is CautionRequires.OWN_PRESENT:
            seen = {
                approach for camera in self.cameras.values() for approach, zones in camera.zones.items() if zones.wait
            }
            blind = ", ".join(sorted({face for lamp in self.lamps.values() for face in lamp.faces} - seen))
            if blind:
                problems.append(
                    Problem(
                        "rule",
                        path="policy.caution_requires",
                        value=self.policy.caution_requires.value,
                        allowed=both("any"),
                        params={
                            "detail": Text(
                                f"own_present 要求每个面都有能看见静止的人和车的传感器,{blind} 没有",
                                f"own_present needs a sensor that sees standing users on every face; none on {blind}",
                            )
                        },
                    )
                )
        if problems:
            raise RuleError(problems)
        return self


def _rule(path: str, zh: str, en: str, *value: Any) -> Problem:
    fields = {"value": value[0]} if value else {}
    return Problem("rule", path=path, params={"detail": Text(zh, en)}, **fields)


def _allowing(problem: Problem, allowed: str) -> Problem:
    return dataclasses.replace(problem, allowed=both(allowed))


def _unknown(path: str, names: list[str], known: list[str]) -> list[Problem]:
    return [_unknown_approach(f"{path}.{index}", name, known) for index, name in enumerate(names) if name not in known]


def _unknown_approach(path: str, name: str, known: list[str]) -> Problem:
    return Problem("unknown_approach", path=path, value=name, allowed=both(" | ".join(known)))


DEVICE_SECTIONS: dict[str, str] = {
    "radars": "radar",
    "cameras": "camera",
    "lamps": "lamp",
    "speakers": "speaker",
}
"""Section of the site file -> kind of driver (``heartbeat`` is a single entry, not a section)."""

Level = Literal["clear", "caution", "alert"]
