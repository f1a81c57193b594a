"""The newest picture goes from writer to reader; nothing is torn, nothing older comes after."""

import os
import threading

from hypothesis import given
from hypothesis import strategies as st

from hal.camera.mailbox import MailboxFds, MailboxReader, MailboxWriter

HEIGHT, WIDTH = 30, 40


class Pair:
    """Both ends in one process."""

    def __init__(self) -> None:
        fds = MailboxFds.create()
        self._writer_fds = tuple(os.dup(fd) for fd in fds.for_writer())
        os.close(fds.mailbox_w)
        os.close(fds.returns_r)
        self.writer = MailboxWriter(*self._writer_fds, height=HEIGHT, width=WIDTH)
        self.reader = MailboxReader(fds)
        self.reader.map(self.writer.memory, HEIGHT, WIDTH)

    def publish(self, number: int) -> None:
        self.writer.buffer()[:] = number % 251
        self.writer.publish(number)

    def close(self) -> None:
        self.reader.close()
        for fd in (*self._writer_fds, self.writer.memory):
            os.close(fd)


@given(st.lists(st.sampled_from(["write", "read", "release"]), max_size=60))
def test_in_any_order_of_events_the_reader_gets_the_newest_picture_whole(events: list[str]) -> None:
    pair = Pair()
    published = taken = 0
    held = None
    try:
        for event in events:
            if event == "write":
                published += 1
                pair.publish(published)
            elif event == "release":
                pair.reader.release()
                held = None
            elif held is None:
                got = pair.reader.take()
                assert (got is None) == (published == taken)
                if got is not None:
                    token, held = got
                    taken = token.captured_ns
                    assert taken == token.sequence == published
            if held is not None:
                assert (held == taken % 251).all()
    finally:
        pair.close()


def test_a_fast_writer_never_tears_a_slow_readers_picture() -> None:
    pair = Pair()
    last = 20_000

    def write() -> None:
        for number in range(1, last + 1):
            pair.publish(number)

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    overwritten = 0
    while not seen or seen[-1] < last:
        pair.reader.release()
        got = pair.reader.take()
        if got is not None:
            token, image = got
            assert (image == token.captured_ns % 251).all()
            seen.append(token.captured_ns)
            overwritten = token.overwritten
    writer.join()
    pair.close()
    assert seen == sorted(set(seen))
    assert overwritten == last - len(seen)
