"""Entry of provision: ``python -m device.provisioning boot | apply FILE | run``.

``boot`` runs before every start of core, ``run`` when a bundle came and at least every ten minutes (changes made by
hand age meanwhile, and end), ``apply`` by hand with a bundle from a stick. Each prints one JSON line and ends with an
exit code of DESIGN.md §5: 0 as it should be, 1 taken back, 2 refused; ``boot`` with 2 only where nothing can run.
"""

import argparse
import json
import logging
import pathlib
import sys
from typing import Any

from configs.files import write_atomically
from device.provisioning.boot import boot
from device.provisioning.enrolment import EnrolmentError
from device.provisioning.place import Place
from hal.clock import SYSTEM_CLOCK

OK, FAULT, BAD_INPUT = 0, 1, 2


def main(argv: list[str] | None = None) -> int:
    """Runs one verb; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m device.provisioning", description="Configuration of the county.")
    parser.add_argument("verb", choices=("boot", "apply", "run"))
    parser.add_argument("file", nargs="?", type=pathlib.Path, help="apply: the bundle")
    parser.add_argument("--config", type=pathlib.Path, required=True, help="site file")
    parser.add_argument("--run-dir", type=pathlib.Path, required=True, help="sockets and the compiled configuration")
    parser.add_argument("--state-dir", type=pathlib.Path, required=True, help="what the node keeps")
    args = parser.parse_args(argv)
    if (args.file is not None) is not (args.verb == "apply"):
        parser.error("apply takes a FILE, and nothing else does")
    logging.basicConfig(level=logging.INFO, format="level=%(levelname)s part=provision %(message)s")
    place = Place(args.config, args.run_dir, args.state_dir, SYSTEM_CLOCK)
    try:
        if args.verb == "boot":
            said, code = boot(place)
            return _print(said.model_dump(mode="json"), code)
        return _run(place, args.file)
    except EnrolmentError as error:
        return _print({"what": "refused", "why": str(error)}, BAD_INPUT)
    except OSError as error:
        return _print({"what": "failed", "why": str(error)}, FAULT)


def _run(place: Place, file: pathlib.Path | None) -> int:
    from device.provisioning.apply import Provision, inbox_files  # control sockets; boot needs none of it

    if file is not None:
        if not place.is_enrolled:
            return _print({"what": "refused", "why": "this node was never enrolled: sentinel enroll"}, BAD_INPUT)
        _put(place, file)
    told = Provision(place).run()
    if told is not None:
        return _print(told.model_dump(mode="json"), told.exit_code)
    why = "another process watches a trial and takes it from the inbox" if list(inbox_files(place.inbox)) else None
    return _print({"what": None, "why": why}, OK)


def _put(place: Place, file: pathlib.Path) -> None:
    """A bundle by hand goes the way of all others: whoever watches a trial now takes it from the inbox."""
    from configs.bundle import MAX_PACKED_BYTES

    with file.open("rb") as source:
        data = source.read(MAX_PACKED_BYTES + 1)
    place.inbox.mkdir(parents=True, exist_ok=True)
    write_atomically(place.inbox / "by_hand.bundle", data)


def _print(said: dict[str, Any], code: int) -> int:
    print(json.dumps(said, ensure_ascii=False))  # noqa: T201 - an entry point's own answer
    return code


if __name__ == "__main__":
    sys.exit(main())
