"""What a site's sensors can give, in the technician's words; for ``sentinel config check``."""

from collections.abc import Iterator, Sequence

from configs.lead import Lead, Need
from device.cli.language import _
from device.cli.status import word


def lead_lines(leads: Sequence[Lead]) -> str:
    """A line for each face and approach by day and for the design user, and below it what is short of more than that:
    the crosser with the longest gap, and night, wet road and fog. "" where no radar watches anything."""
    if not leads:
        return ""
    lines = [_("Warning time that the sensors can give, at the limit, by day and for the design user:")]
    for lead in leads:
        lines.append(f"  {_line(lead)}{_short(lead.design)}")
        lines += [f"    {line}" for line in _further(lead)]
    return "\n".join(lines)


def _line(lead: Lead) -> str:
    who = lead.face if lead.face == lead.approach else f"{lead.face} ← {lead.approach}"
    given = _("{who}: {sensor} {reach_m:.0f} m at {limit_kmh:g} km/h: {gives_s:.1f} s of the {horizon_s:.1f} s needed")
    return given.format(
        who=who,
        sensor=lead.sensor,
        reach_m=lead.reach_m,
        limit_kmh=lead.limit_kmh,
        gives_s=lead.design.gives_s,
        horizon_s=lead.design.horizon_s,
    )


def _further(lead: Lead) -> Iterator[str]:
    given = _("{case}: {gives_s:.1f} s of {horizon_s:.1f} s")
    if lead.user is not None and lead.longest.is_short:
        need = lead.longest
        yield given.format(case=word(lead.user.value), gives_s=need.gives_s, horizon_s=need.horizon_s) + _short(need)
    if lead.widest.is_short and lead.widest.horizon_s > lead.longest.horizon_s:
        need, adds = lead.widest, lead.adds
        case = _("night +{night_s:.1f} s, wet road +{wet_s:.1f} s, fog up to +{fog_s:.1f} s").format(
            night_s=adds.night_s, wet_s=adds.wet_s, fog_s=adds.fog_s
        )
        yield given.format(case=case, gives_s=need.gives_s, horizon_s=need.horizon_s) + _short(need)


def _short(need: Need) -> str:
    if not need.is_short:
        return ""
    short = _("; {short_s:.1f} s short; covers up to {covers_kmh} km/h")
    return short.format(short_s=need.short_s, covers_kmh=int(need.covers_kmh))
