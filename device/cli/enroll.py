"""``sentinel enroll FILE``: a node joins its county. First the office's package, then the office's answer.

By files, because signing takes a person with a passphrase at the office anyway: the files go by USB stick, scp or chat,
and a pole without network can be enrolled as well as one with. Either step may be repeated after it was cut short.
"""

import pathlib
from typing import TYPE_CHECKING

import click

from configs.errors import CodedError, ConfigError
from configs.files import write_atomically
from device.cli.common import BAD_INPUT, Settings, Verb, emit, fail, fail_config, pass_settings
from device.cli.config import put_in_place, read_text, target_of, told_how
from device.cli.language import _, language
from device.site import check_text

# What judges certificates takes a good half second to import and is imported where it is used, not for --help.
if TYPE_CHECKING:
    from device.provisioning.papers import Answer, Package, Request

_FILE = click.Path(path_type=pathlib.Path, dir_okay=False)


@click.command("enroll", cls=Verb, help=_("Join the county: first with the office's package, then with its answer."))
@click.argument("file", metavar="FILE", type=_FILE)
@click.option("--out", type=_FILE, help=_("Where the request goes; beside the package, .request, unless told."))
@pass_settings
def command(settings: Settings, file: pathlib.Path, out: pathlib.Path | None) -> None:
    """Which of the two it is says the file."""
    from device.provisioning.papers import Answer, Package

    paper = _paper(file)
    try:
        if isinstance(paper, Package):
            _begin(settings, paper, out or file.with_suffix(".request"))
        elif isinstance(paper, Answer):
            _finish(settings, paper)
        else:
            fail(BAD_INPUT, _("{file} is a request; it is for the office.").format(file=file))
    except CodedError as error:
        fail(BAD_INPUT, error.message(language()), {"code": error.code})
    except ConfigError as error:
        fail_config(error)
    except OSError as error:
        fail(BAD_INPUT, str(error))


def _paper(file: pathlib.Path) -> "Package | Request | Answer":
    from device.provisioning import papers

    try:
        return papers.read(file)
    except OSError as error:
        fail(BAD_INPUT, f"{file}: {error.strerror}")
    except ValueError as error:
        fail(BAD_INPUT, _("{file} is no paper of an enrolment: {detail}").format(file=file, detail=error))


def _begin(settings: Settings, package: "Package", out: pathlib.Path) -> None:
    from device.provisioning import enrolling, papers

    target = target_of(settings)
    text = enrolling.with_broker(read_text(target.path), package.broker, settings.state_dir, str(target.path))
    site, _warnings = check_text(text, str(target.path))
    request = enrolling.begin(settings.state_dir, package, site.site.id, text)
    write_atomically(out, papers.text(request), mode=0o644)
    words = _(
        "Ask the office for the fingerprint of its package; it must be {fingerprint}\n"
        "The request is in {file}: have the office sign it, then sentinel enroll with the answer."
    )
    emit(
        {"ok": True, "file": str(out), "node": package.place, "fingerprint": package.fingerprint},
        words.format(file=out, fingerprint=package.fingerprint),
    )


def _finish(settings: Settings, answer: "Answer") -> None:
    from device.provisioning import enrolling

    target = target_of(settings)
    old_text = read_text(target.path)
    broker = enrolling.package_of(settings.state_dir).broker
    text = enrolling.with_broker(old_text, broker, settings.state_dir, str(target.path))
    site, _warnings = check_text(text, str(target.path))
    found = enrolling.accept(settings.state_dir, answer, site.site.id, text)
    applied = None
    if text != old_text:
        applied = put_in_place(settings, target, text, site, old_text)[1]
    enrolling.end(settings.state_dir)
    words = _("{node} is enrolled, group {group}; it connects to {broker}.").format(
        node=site.site.id, group=found.group, broker=broker
    )
    lines = told_how(target, applied) if text != old_text else []
    emit({"ok": True, "node": site.site.id, "group": found.group, "broker": broker}, "\n".join([words, *lines]))
