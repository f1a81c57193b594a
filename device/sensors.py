"""From a site file's radar entry to its driver: options, decoder, and when its silence is a fault.

Invariant: the schema owns what the junction needs (``approach``, ``to_conflict_m``, ``reach_m``); the driver owns the
rest and gets ``reach_m`` too where it has use for it.
"""

from typing import Any

from configs.schema import Radar, SiteConfig
from device.sensor_board import STALE_S
from device.site import driver_options
from hal import registry
from hal.interfaces import RadarDecoder

POLL_MISSES = 2
"""A polled radar is stale after two misses (DESIGN.md §3)."""


def radar_options(radar: Radar) -> Any:
    """The driver's checked options. Raises hal.errors.OptionError."""
    return registry.parse_options("radar", radar.driver, driver_options("radar", radar))


def radar_decoder(config: SiteConfig, name: str) -> RadarDecoder:
    """The bytes-to-frames half of a radar's driver. Raises OptionError; ValueError for a driver without a wire."""
    radar = config.radars[name]
    driver = registry.driver("radar", radar.driver)
    if driver.decoder is None:
        raise ValueError(f"radars.{name}.driver: {radar.driver!r} has no bytes to decode")
    decoder: RadarDecoder = driver.decoder(name, radar_options(radar))
    return decoder


def stale_after_s(config: SiteConfig) -> dict[str, float]:
    """Sensors whose silence is allowed longer than 500 ms: radars that are polled while the road is empty."""
    found = {}
    for name, radar in config.radars.items():
        options = radar_options(radar)
        if getattr(options, "idle", None) == "polled":
            found[name] = max(STALE_S, POLL_MISSES * float(options.poll_s) + STALE_S)
    return found
