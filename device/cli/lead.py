"""What a site's sensors can give, in the technician's words; for ``sentinel config check``."""

from collections.abc import Sequence

from configs.lead import Lead
from device.cli.language import _


def lead_lines(leads: Sequence[Lead]) -> str:
    """One line a face and an approach; "" where no radar watches anything."""
    if not leads:
        return ""
    return "\n".join([_("Warning time that the sensors can give, at the limit:"), *map(_line, leads)])


def _line(lead: Lead) -> str:
    who = lead.face if lead.face == lead.approach else f"{lead.face} ← {lead.approach}"
    given = _("{who}: {sensor} {reach_m:.0f} m at {limit_kmh:g} km/h: {gives_s:.1f} s of the {horizon_s:.1f} s needed")
    text = given.format(
        who=who,
        sensor=lead.sensor,
        reach_m=lead.reach_m,
        limit_kmh=lead.limit_kmh,
        gives_s=lead.gives_s,
        horizon_s=lead.horizon_s,
    )
    if lead.is_short:
        short = _("; {short_s:.1f} s short; covers up to {covers_kmh} km/h")
        text += short.format(short_s=lead.short_s, covers_kmh=int(lead.covers_kmh))
    return "  " + text
