"""A serial port by URL, read with one ``os.read`` per wake-up.

``/dev/ttyAMA0``, a pty and ``socket://host:port`` all work; a URL without a file descriptor (``loop://``) is refused.
Invariants: what is there is taken whole in one ``os.read`` (framing reads fall seconds behind beside a busy thread:
one ``os.read`` stays at 11 ms); a write never waits; a port that is gone raises DeviceLostError.
"""

import contextlib
import errno
import os
import select

import serial

from hal.errors import DeviceLostError, DeviceOpenError

READ_BYTES = 65_536
"""More than any kernel buffer of a serial port holds, so one read takes all there is."""

_UART_PINS = frozenset({"gpio 14", "gpio 15"})
_HEADER_UARTS = frozenset({"/dev/ttyAMA0", "/dev/ttyS0", "/dev/serial0"})
"""On a Raspberry Pi these are the UART on the header's pins, which a lamp must not take."""

_ADVICE = {
    errno.ENOENT: (
        "检查接线和供电,用 ls /dev/serial/by-id /dev/tty* 找到实际端口",
        "check cable and power, find the port with: ls /dev/serial/by-id /dev/tty*",
    ),
    errno.EACCES: (
        "把运行用户加入 dialout 组后重新登录",
        "add the user to the group dialout and log in again",
    ),
    errno.EAGAIN: (
        "端口被别的程序占用:用 fuser 查出并停掉",
        "another program holds the port: find it with fuser and stop it",
    ),
}
_OTHER_ADVICE = (
    "可用的写法:/dev/ttyAMA0、/dev/ttyUSB0、socket://主机:端口",
    "use a port such as /dev/ttyAMA0, /dev/ttyUSB0 or socket://host:port",
)


def port_claims(url: str) -> frozenset[str]:
    """What a device on this port must have for itself: the port (links resolved), and the pins of a header UART."""
    if "://" in url:
        return frozenset({f"port {url}"})
    pins = _UART_PINS if url in _HEADER_UARTS else frozenset()
    return pins | {f"port {os.path.realpath(url)}"}


class SerialPort:
    """An open port. ``device`` is the site's id, for messages."""

    def __init__(self, device: str, url: str, baud: int) -> None:
        self._device = device
        self._url = url
        self._port = _open(device, url, baud)
        try:
            self._fd: int = self._port.fileno()
        except (OSError, AttributeError) as error:
            self._port.close()
            raise _open_error(device, url, "this kind of port has no file descriptor to wait on", 0) from error
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        # An FTDI adapter holds bytes back 16 ms unless told not to; other ports have no such knob.
        tune = getattr(self._port, "set_low_latency_mode", None)
        if tune is not None:
            with contextlib.suppress(OSError, ValueError, NotImplementedError):
                tune(True)

    def wait(self, timeout_s: float) -> bool:
        """Whether there is something to read (or the port is gone) within ``timeout_s``."""
        return bool(self._poll.poll(max(0.0, timeout_s) * 1000))

    def take(self) -> bytes:
        """All bytes that are there, in one read. Raises DeviceLostError when the port is gone."""
        try:
            data = os.read(self._fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            raise self._lost(error.strerror or str(error)) from error
        if not data:
            raise self._lost("end of stream")
        return data

    def send(self, data: bytes) -> bool:
        """Writes without waiting; False when the port takes nothing now. Raises DeviceLostError when it is gone."""
        try:
            return os.write(self._fd, data) == len(data)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            raise self._lost(error.strerror or str(error)) from error

    def close(self) -> None:
        """Releases the port; a second call does nothing."""
        with contextlib.suppress(OSError):
            self._port.close()

    def _lost(self, reason: str) -> DeviceLostError:
        return DeviceLostError(
            f"雷达 {self._device}:{self._url} 断开,检查接线和供电 / "
            f"radar {self._device}: {self._url} is gone ({reason}); check cable and power"
        )


def _open(device: str, url: str, baud: int) -> serial.SerialBase:
    try:
        # Exclusive: a second reader would steal half of the bytes unseen.
        return serial.serial_for_url(url, baudrate=baud, timeout=0, exclusive=True)
    except OSError as error:
        code = error.errno or 0
        raise _open_error(device, url, os.strerror(code) if code else str(error), code) from error
    except (ValueError, ArithmeticError) as error:
        raise _open_error(device, url, str(error), 0) from error


def _open_error(device: str, url: str, reason: str, code: int) -> DeviceOpenError:
    zh, en = _ADVICE.get(code, _OTHER_ADVICE)
    return DeviceOpenError(f"雷达 {device}:打不开 {url};{zh} / radar {device}: cannot open {url}: {reason}; {en}")
