"""A node comes to the county: a package once, a certificate for it once.

Steps from one authority to the next; whoever calls keeps it (``authority.save``) before a paper leaves. Invariants: a
package is exchanged for the certificate of one key; the same request again gets the same certificate, because the first
may have been lost on its way; a new package of a node ends its earlier ones; a new certificate ends the earlier one.
"""

import contextlib
import datetime
import hmac
import re
import secrets

from configs import edit, loader
from configs.errors import ConfigError
from device.provisioning import papers
from device.provisioning.papers import Answer, Package, Request
from device.provisioning.trusted import parse_time, time_text
from device.site import check_text
from tools.county.ca import certificates
from tools.county.ca.authority import Authority, Certified, Given, certify, check_clock, key_sha256, revoke
from tools.county.ca.certificates import PrivateKey, PublicKey
from tools.county.ca.errors import CaError
from tools.county.folder import REGISTER

PACKAGE_TERM = datetime.timedelta(days=30)
"""From the office to the pole and back; a stick that turns up later is worth nothing."""

_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")
_COUNTY = re.compile(r"[1-9][0-9]{5}")
_BROKER = re.compile(papers.BROKER_URL)


def check_place(county: str, broker: str) -> None:
    """Whether an authority can be for this county and broker. Raises CaError."""
    for value, allowed in ((county, _COUNTY), (broker, _BROKER)):
        if not allowed.fullmatch(value):
            raise CaError("bad_id", value=value, allowed=allowed.pattern)


def package(before: Authority, node: str, group: str, root: str, now: datetime.datetime) -> tuple[Authority, Package]:
    """A package for a node. Raises CaError."""
    check_clock(now)
    for value in (node, group):
        if not _ID.fullmatch(value):
            raise CaError("bad_id", value=value, allowed=_ID.pattern)
    token = secrets.token_hex(32)
    given = Given(node=node, group=group, token=token, until=time_text(now + PACKAGE_TERM))
    after = before.model_copy(update={"packages": (*void(before, node).packages, given)})
    return after, Package(
        county=before.county, node=node, group=group, broker=before.broker, ca=before.ca, root=root, token=token
    )


def void(before: Authority, node: str) -> Authority:
    """With no package of a node that could still be exchanged."""
    packages = tuple(
        one.model_copy(update={"void": True}) if one.node == node and one.serial is None else one
        for one in before.packages
    )
    return before.model_copy(update={"packages": packages})


def expel(before: Authority, node: str, key: PrivateKey, now: datetime.datetime) -> Authority:
    """With neither a certificate nor a package of a node. Raises CaError where it has none."""
    after = void(before, node)
    place = f"{before.county}/{node}"
    return after if after != before and not before.live(place) else revoke(after, place, key, now)


def given_for(authority: Authority, request: Request, now: datetime.datetime) -> Given:
    """The package with which a request was made, if it may be answered. Raises CaError, ConfigError (the site file)."""
    check_clock(now)
    node = request.node
    if request.county != authority.county:
        raise CaError("other_county", file=request.place, value=request.county, wanted=authority.county)
    given = next((one for one in authority.packages if one.node == node and _proves(one.token, request)), None)
    if given is None:
        raise CaError("not_ours", node=node)
    key = key_sha256(_public(request))
    if given.serial is not None:
        if _of(authority, given.serial).key_sha256 != key:
            raise CaError("used", node=node)
        if _of(authority, given.serial).revoked is not None:
            raise CaError("void", node=node)
    elif given.void:
        raise CaError("void", node=node)
    elif now > parse_time(given.until):
        raise CaError("late", node=node, until=given.until)
    elif any(one.key_sha256 == key for one in authority.certified):
        raise CaError("old_key", node=node)
    site, _warnings = check_text(request.site, f"{node}.yaml")
    if site.site.id != request.place:
        raise CaError("other_site", value=site.site.id, wanted=request.place)
    return given


def answer(
    before: Authority, given: Given, request: Request, key: PrivateKey, now: datetime.datetime
) -> tuple[Authority, Answer]:
    """The certificate for a request that was found good (``given_for``)."""
    if given.serial is not None:
        return before, _answer(request, _of(before, given.serial))
    made = certificates.for_client(request.place, _public(request), before.certificate, key, now)
    after = certify(before, made, request.place, key, now)
    done = given.model_copy(update={"serial": after.certified[-1].serial})
    packages = tuple(done if one == given else one for one in after.packages)
    return after.model_copy(update={"packages": packages}), _answer(request, after.certified[-1])


def registered(text: str, node: str, group: str) -> str:
    """The register with a node in its group; all else as it stands. Raises ConfigError."""
    if loader.parse_yaml(text, REGISTER).values.get("nodes") is None:
        # The first node begins the list, a line for each; what ``set_value`` would begin is all on one line.
        first = f"{text.rstrip()}\n  {node}: {group}\n"
        with contextlib.suppress(ConfigError):
            if loader.parse_yaml(first, REGISTER).values.get("nodes") == {node: group}:
                return first
    return edit.set_value(text, f"nodes.{node}", group, file=REGISTER)


def _proves(token: str, request: Request) -> bool:
    made = papers.proof(token, request.csr, request.site)
    return hmac.compare_digest(made.encode(), request.proof.encode())


def _public(request: Request) -> PublicKey:
    try:
        return certificates.public_key_of(request.csr)
    except ValueError as error:
        raise CaError("bad_request", detail=str(error)[:80]) from None


def _answer(request: Request, certified: Certified) -> Answer:
    return Answer(county=request.county, node=request.node, certificate=certified.pem)


def _of(authority: Authority, serial: str) -> Certified:
    return next(one for one in authority.certified if one.serial == serial)
