"""What is watched: ``python -m tools.county.power_cut.work FOLDER run|restart``, a node's provision from its inbox to
its end. ``restart``: it is killed once core has taken what is on trial, the power comes back, and it starts again."""

import pathlib
import sys
from typing import Any

from tools.county.pole import Pole

RUN, RESTART = "run", "restart"


class _KilledError(BaseException):
    pass


def work(folder: pathlib.Path, how: str) -> None:
    """Does it."""
    pole = Pole(folder)
    if how == RESTART:

        def killed_by_reload(verb: str, **more: Any) -> Any:
            answer = pole.core.ask(verb, **more)
            if verb == "reload":
                raise _KilledError
            return answer

        try:
            pole.run(killed_by_reload)
        except _KilledError:
            pole.start()
    pole.run()


if __name__ == "__main__":
    work(pathlib.Path(sys.argv[1]), sys.argv[2])
