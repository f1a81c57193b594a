"""Why the authority stops: one code for each reason, in Chinese and English. Nothing was changed then."""

from collections.abc import Mapping
from typing import ClassVar

from configs.errors import CodedError, Text


class CaError(CodedError):
    """The office cannot do this; the authority stays as it was."""

    messages: ClassVar[Mapping[str, Text]] = {
        "exists": Text("{file} 已经有了,不会覆盖", "{file} is there already and is not overwritten"),
        "unreadable": Text("{file} 读不了:{detail}", "{file} cannot be read: {detail}"),
        "busy": Text("另一个程序正在改 {file},请稍后再试", "another program is changing {file}: try again later"),
        "passphrase": Text("{file} 的口令不对", "wrong passphrase for {file}"),
        "no_passphrase": Text("县证书的私钥必须有口令", "the key of the authority needs a passphrase"),
        "clock_behind": Text(
            "本机时间 {now} 早于 {last},请先校准时间",
            "this machine's clock says {now}, before {last}: set it right first",
        ),
        "bad_id": Text("「{value}」不行,应是 {allowed}", "'{value}' is not allowed; allowed: {allowed}"),
        "other_county": Text(
            "{file} 是 {value} 的,县证书是 {wanted} 的", "{file} is of county {value}, the authority of {wanted}"
        ),
        "no_group": Text(
            "没有分组「{group}」:先建 {file}(可以是空的)",
            "there is no group '{group}': make {file} first (it may be empty)",
        ),
        "enrolled": Text(
            "{node} 已经登记,换证书请用 sentinel-county replace {node}",
            "{node} is enrolled already; for another certificate: sentinel-county replace {node}",
        ),
        "not_registered": Text("{node} 没有登记在 {file}", "{node} is not in {file}"),
        "none_live": Text("{name} 没有有效的证书", "{name} has no certificate that counts"),
        # a request
        "bad_request": Text("申请看不懂:{detail}", "the request cannot be understood: {detail}"),
        "not_ours": Text(
            "这份申请不是用县里给 {node} 的登记包做的,或者途中改过",
            "this request was not made with a package of {node}, or was changed on its way",
        ),
        "used": Text(
            "{node} 的这个登记包已经换过一张证书,不能再换;请另做一个(sentinel-county replace {node})",
            "this package of {node} has been exchanged for a certificate already: make another "
            "(sentinel-county replace {node})",
        ),
        "void": Text(
            "{node} 的这个登记包已经作废,请用新的", "this package of {node} no longer counts: use the newer one"
        ),
        "late": Text(
            "{node} 的这个登记包在 {until} 过期,请另做一个", "this package of {node} expired at {until}: make another"
        ),
        "old_key": Text("{node} 用的是以前的密钥,请重新申请", "{node} asks for a key that was certified before"),
        "other_site": Text(
            "申请里的站点文件是 {value} 的,不是 {wanted}", "the site file in the request is {value}'s, not {wanted}'s"
        ),
    }
