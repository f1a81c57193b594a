"""Why the office's signing stops: one code for each reason, in Chinese and English. Nothing was changed then."""

from collections.abc import Mapping
from typing import ClassVar

from configs.errors import CodedError, Text


class TrustError(CodedError):
    """The office cannot do this; its repository stays as it was."""

    messages: ClassVar[Mapping[str, Text]] = {
        "unreadable": Text("签名库 {file} 读不了:{detail}", "the repository {file} cannot be read: {detail}"),
        "exists": Text(
            "签名库 {file} 已经有了,不会覆盖", "the repository {file} is there already and is not overwritten"
        ),
        "busy": Text("另一个程序正在改签名库 {file},请稍后再试", "another program is changing {file}: try again later"),
        "key_unreadable": Text("密钥文件 {file} 读不了:{detail}", "the key file {file} cannot be read: {detail}"),
        "passphrase": Text("密钥文件 {file} 的口令不对", "wrong passphrase for the key file {file}"),
        "no_passphrase": Text("离线密钥 {name} 必须有口令", "the offline key {name} needs a passphrase"),
        "too_few_keys": Text(
            "「{role}」要 {need} 把密钥签名,在 {folders} 里只找到 {have} 把;要的是 {wanted}",
            "'{role}' takes {need} keys and {have} were found in {folders}; wanted: {wanted}",
        ),
        "no_such_key": Text("「{role}」没有密钥 {key},有的是 {known}", "'{role}' has no key {key}; it has {known}"),
        "no_such_role": Text("没有角色「{role}」,有的是 {known}", "there is no role '{role}'; there are {known}"),
        "no_such_group": Text("没有组「{group}」,有的是 {known}", "there is no group '{group}'; there are {known}"),
        "no_command_key": Text(
            "本县还没有命令密钥:trust rotate commands,再给各组下发",
            "the county has no key for commands yet: trust rotate commands, then publish the groups' bundles",
        ),
        "bad_command": Text("命令 {verb} 写得不对:{detail}", "the command {verb} is not well formed: {detail}"),
        "bad_id": Text("「{value}」不能用作{what}", "'{value}' cannot be the id of a {what}"),
        "bad_target": Text(
            "「{name}」不是可以签发的文件:group.yaml、files.json、nodes/节点号.yaml",
            "'{name}' is nothing to sign: group.yaml, files.json, nodes/ID.yaml",
        ),
        "no_group_target": Text("组「{group}」没有 group.yaml", "there is no group.yaml for group '{group}'"),
        "presigned_key": Text(
            "组「{group}」的密钥换过了,先前签好的作废:请重新推送",
            "the key of group '{group}' was changed, what was signed before no longer counts: roll out anew",
        ),
        "presigned_old": Text(
            "组「{group}」后来又签发过别的,先前签好的作废:请重新推送",
            "group '{group}' was told something newer, what was signed before no longer counts: roll out anew",
        ),
        "clock_behind": Text(
            "本机时间 {now} 早于上次签发 {last},请先校准时间",
            "this machine's clock says {now}, before the last issue at {last}: set it right first",
        ),
        "clock_ahead": Text(
            "上次签发是 {last},本机时间是 {now}:时间不对请先校准;确实停了这么久,请用 trust renew --after-pause",
            "the last issue was at {last} and this machine's clock says {now}: set it right if it is wrong, or, after "
            "so long a pause, trust renew --after-pause",
        ),
        "expired": Text(
            "「{role}」在 {expires} 过期,节点不会接受:请先 trust renew {role}",
            "'{role}' expires at {expires} and no node would take it: trust renew {role} first",
        ),
    }
