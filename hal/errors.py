"""The one error tree of hal. Every message says which device, which value, and what to do."""


class HalError(Exception):
    """Anything a device or its options can do wrong."""


class OptionError(HalError, ValueError):
    """A driver option is unknown, missing or out of bounds.

    ``path`` is the option inside the device's entry (``pin``, ``zones.branch_south.wait``), ``value`` what was
    found, ``allowed`` what would be accepted.
    """

    def __init__(self, path: str, value: object, allowed: str) -> None:
        super().__init__(f"{path}: {value!r} is not allowed; allowed: {allowed}")
        self.path = path
        self.value = value
        self.allowed = allowed


class DeviceOpenError(HalError, OSError):
    """A device could not be opened; the message names it, its address and the reason."""


class DeviceLostError(HalError, OSError):
    """An open device stopped answering for good (unplugged, process gone)."""
