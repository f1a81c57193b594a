"""Why a rollout cannot be had: one code for each reason, in Chinese and English. Nothing was changed then."""

from collections.abc import Mapping
from typing import ClassVar

from configs.errors import CodedError, Text


class RolloutError(CodedError):
    """The office cannot do this; the rollout, if there is one, stays as it was."""

    messages: ClassVar[Mapping[str, Text]] = {
        "bad_wave": Text(
            "波次「{value}」写得不对:先是 5nodes 这样的点名(可以没有),再是递增的百分比,最后必须是 100%",
            "the wave '{value}' is not well formed: first perhaps a number of named nodes like 5nodes, then "
            "percentages that rise, the last of them 100%",
        ),
        "named": Text(
            "第一波写的是 {wanted} 个节点,--first 点名了 {have} 个",
            "the first wave says {wanted} nodes, and --first names {have}",
        ),
        "unknown_node": Text(
            "节点 {nodes} 不在这次要改的分组里,不能放在第一波",
            "{nodes}: in none of the groups that change, and so not for the first wave",
        ),
        "nothing": Text(
            "目录和已经签发的一样,没有可推送的",
            "the folder says what is signed already: there is nothing to roll out",
        ),
        "other_county": Text(
            "目录是 {value} 县的,签名库是 {wanted} 县的",
            "the folder is of county {value}, the repository of {wanted}",
        ),
        "going": Text(
            "上一次推送还没有结束({phase}):先 rollout status,再 resume 或 revert",
            "the rollout before is not over ({phase}): see rollout status, then resume or revert it",
        ),
        "none": Text("没有推送:先 rollout start", "there is no rollout: begin one with rollout start"),
        "over": Text("这次推送已经结束({phase})", "this rollout is over ({phase})"),
        "unreadable": Text("推送记录 {file} 读不了:{detail}", "the rollout's file {file} cannot be read: {detail}"),
        "busy": Text("另一个程序正在改 {file},请稍后再试", "another program is changing {file}: try again later"),
    }
