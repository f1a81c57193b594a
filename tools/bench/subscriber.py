"""``python -m tools.bench.subscriber PORT FILE``: the county's end, in a process of its own, as it is in life.

Without it the bridge would keep its events: nobody subscribed means nobody has them. The number of messages so far is
kept in FILE, so that the bench can say whether the bridge really drained.
"""

import pathlib
import sys
import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hal.clock import SYSTEM_CLOCK
from tools.demo.subscriber import TOPICS

TOLD_S = 1.0


def main() -> int:
    """Counts until it is ended."""
    port, path = int(sys.argv[1]), pathlib.Path(sys.argv[2])
    count = 0
    subscribed = threading.Event()

    def on_connect(client: paho.Client, *_rest: Any) -> None:
        client.subscribe([(topic, 1) for topic in TOPICS])

    def on_subscribe(*_rest: Any) -> None:
        subscribed.set()

    def on_message(_client: paho.Client, _data: Any, _message: paho.MQTTMessage) -> None:
        nonlocal count
        count += 1

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    subscribed.wait()
    while True:
        path.write_text(str(count))
        SYSTEM_CLOCK.sleep_s(TOLD_S)


if __name__ == "__main__":
    sys.exit(main())
