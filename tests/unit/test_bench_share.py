"""The processor time of a process is the kernel's, and grows with its work."""

import os
import time

from tools.bench.vision_share import processor_s


def test_the_processor_time_of_this_process() -> None:
    before_s = processor_s(os.getpid())
    ends_s = time.process_time() + 0.05
    while time.process_time() < ends_s:
        pass
    assert 0.03 <= processor_s(os.getpid()) - before_s <= 0.5
    assert abs(processor_s(os.getpid()) - time.process_time()) < 0.1
