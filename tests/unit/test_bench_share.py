"""The processor time of a process is the kernel's; what fails in a process of its own is named."""

import os
import time

import pytest

from tools.bench.apart import printed
from tools.bench.rig import BenchError
from tools.bench.vision_share import processor_s


def test_the_processor_time_of_this_process() -> None:
    before_s = processor_s(os.getpid())
    ends_s = time.process_time() + 0.05
    while time.process_time() < ends_s:
        pass
    assert 0.03 <= processor_s(os.getpid()) - before_s <= 0.5
    assert abs(processor_s(os.getpid()) - time.process_time()) < 0.1


def test_a_measurement_in_a_process_of_its_own_that_fails_is_named() -> None:
    with pytest.raises(BenchError, match=r"tools\.bench\.nothing could not measure: exit 1"):
        printed("tools.bench.nothing")
