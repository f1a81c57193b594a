"""Who may truly be there when a sensor names a class, and the seconds each needs to cross. Pure arithmetic.

The node decides by ``gap_table`` (device.gap) and ``config check`` tells what its sensors can give of ``longest``, so
that nobody is promised more than is decided by. Invariant: a name never counts for less than the class itself needs.
"""

from collections.abc import Mapping

from configs.schema import RoadUser, SiteConfig

TAKEN_FOR: Mapping[RoadUser, tuple[RoadUser, ...]] = {
    RoadUser.TWO_WHEELER: (RoadUser.TRICYCLE,),
    RoadUser.CAR: (),
    RoadUser.WALKER: (),
    RoadUser.TRICYCLE: (),
    RoadUser.BUS: (RoadUser.TRUCK,),
    RoadUser.TRUCK: (),
    RoadUser.LONG_TRUCK: (),
}
"""Who may truly be there when a sensor names this class: an open farm tricycle has the wheels, the handlebar and the
rider of a two-wheeler, and a lorry seen from the front is called a bus."""

HEAVY = frozenset({RoadUser.BUS, RoadUser.TRUCK, RoadUser.LONG_TRUCK})
"""No detector here tells a single lorry from one with a trailer, or from a tractor: a heavy vehicle never needs less
than the design user, which a site with trailers sets to ``long_truck``."""

NAMED = frozenset({RoadUser.WALKER, RoadUser.TWO_WHEELER, RoadUser.CAR, RoadUser.BUS, RoadUser.TRUCK})
"""Whom the bundled detector can name (``device.observation.DETECTOR_CLASSES``); nobody else is ever decided by."""


VISIBILITY_STEPS_M = (200.0, 100.0, 50.0)
"""Below each of these the law takes another step off the speed (60, 40, 20 km/h): the steps in which sight is lost."""


def gap_table(config: SiteConfig) -> dict[RoadUser, float]:
    """Seconds needed by whoever a sensor calls so: the longest gap of all that it may truly be."""
    gaps = config.policy.gap_s
    design_s = gaps.of(config.site.design_user)
    return {
        user: max(gaps.of(user), *(gaps.of(other) for other in others), design_s if user in HEAVY else 0.0)
        for user, others in TAKEN_FOR.items()
    }


def longest(config: SiteConfig) -> tuple[RoadUser, float]:
    """Who needs longest of all that may be decided by, and the seconds; the design user unless somebody needs more."""
    gaps = config.policy.gap_s
    found = config.site.design_user
    for name in RoadUser:
        if name in NAMED:
            found = max((found, name, *TAKEN_FOR[name]), key=gaps.of)
    return found, gaps.of(found)
