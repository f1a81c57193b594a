"""Why a bundle is not believed, why a file of the county could not be fetched: one code for each reason, with words for
the technician."""

from collections.abc import Mapping
from typing import ClassVar

from configs.bundle import BundleError
from configs.errors import CodedError, Text


class Refused(BundleError):
    """What the bundle says is not the county's word to this node, or not its newest. The node stays as it was."""

    messages: ClassVar[Mapping[str, Text]] = {
        "trust_unreadable": Text(
            "本节点的信任文件 {file} 读不了({detail}),请重新登记(sentinel enroll)",
            "the node's own trust file {file} cannot be read ({detail}): enrol it again (sentinel enroll)",
        ),
        "other_county": Text(
            "这是 {value} 的配置包,本节点属于 {wanted}", "this bundle is for county {value}, the node is of {wanted}"
        ),
        "other_group": Text("「{name}」不属于本节点的组 {wanted}", "'{name}' is not of this node's group, {wanted}"),
        "unexpected": Text("配置包里多出「{name}」", "'{name}' has no place in a bundle"),
        "missing": Text("配置包里缺少「{name}」", "'{name}' is missing from the bundle"),
        "too_long": Text("「{role}」太长", "'{role}' is too long"),
        "malformed": Text("「{role}」格式不对:{detail}", "'{role}' is not of the right form: {detail}"),
        "no_issue_time": Text("配置包没有签发时间", "the bundle does not say when it was issued"),
        "root_gap": Text(
            "本节点的根证书是第 {have} 版,配置包里没有第 {wanted} 版:请县里用 --since {have} 重新打包",
            "the node's root is version {have} and the bundle has no version {wanted}: have the office pack it "
            "with --since {have}",
        ),
        "root_version": Text("根证书第 {wanted} 版里写的不是这个版本", "root {wanted} does not say so itself"),
        "signature": Text("「{role}」的签名不够或不对", "'{role}' is not signed by enough of the keys it should be"),
        "rollback": Text("「{role}」比本节点已有的旧", "'{role}' is older than what the node already has"),
        "dropped": Text("「{role}」里少了原来有的「{name}」", "'{role}' no longer lists '{name}'"),
        "mixed": Text("「{role}」和配置包里其他部分不是同一次签发的", "'{role}' is of another issue than the rest"),
        "changed": Text(
            "「{role}」内容变了,版本号没变", "'{role}' differs from what the node has under the same version"
        ),
        "expired": Text("「{role}」在 {expires} 已过期(按 {at} 计)", "'{role}' expired at {expires} (judged at {at})"),
        "damaged": Text("「{name}」和签名清单里的不一致", "'{name}' is not what was signed"),
        "unlisted": Text("「{name}」不在签名清单里", "nobody signed for '{name}'"),
        "bad_files": Text("文件清单 files.json 写得不对:{detail}", "files.json is not well formed: {detail}"),
        "bad_wave": Text("「{name}」的批次写得不对:{detail}", "the wave of '{name}' is not well formed: {detail}"),
    }


class FetchError(CodedError):
    """A file could not be fetched in this run; the next one goes on from what came."""

    messages: ClassVar[Mapping[str, Text]] = {
        "not_reached": Text("连不上 {url}:{detail}", "{url} cannot be reached: {detail}"),
        "cut": Text("{url} 传到一半断了:{detail}", "{url}: the transfer was cut: {detail}"),
        "too_slow": Text("{url} 太慢", "{url} is too slow"),
        "status": Text("{url} 回答 {status}", "{url} answers {status}"),
        "range": Text("{url} 给的不是所要的那一段", "{url} sends another part than was asked for"),
        "length": Text("{url} 上的文件长度不对({found},应为 {wanted})", "{url} has {found} bytes, {wanted} are signed"),
        "content": Text("{url} 上的文件不是签名的那个", "{url} is not the file that was signed"),
        "no_space": Text(
            "磁盘放不下:还要 {wanted} 字节,并留 {spare} 字节;请腾出空间",
            "the disk has no room for {wanted} bytes more with {spare} to spare: make room",
        ),
        "disk": Text("用不了 {file}:{detail}", "{file} cannot be used: {detail}"),
    }
