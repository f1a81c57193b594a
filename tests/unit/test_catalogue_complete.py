"""Every message a technician can meet has Chinese, and the generated reference page is the one in docs."""

import gettext
import pathlib
import string

from tools.build import catalogue, reference


def test_every_message_of_ours_and_of_click_has_chinese() -> None:
    assert catalogue.untranslated(catalogue.load(), catalogue.messages() | catalogue.click_messages()) == []


def test_a_message_without_chinese_is_found() -> None:
    assert catalogue.untranslated(catalogue.load(), {"no such message", ("one thing", "many things")}) == [
        "no such message",
        "one thing",
    ]


def test_translations_name_the_same_values() -> None:
    for message in catalogue.load():
        if not message.id or message.python_format:
            continue
        singular = message.id if isinstance(message.id, str) else message.id[-1]
        texts = [message.string] if isinstance(message.string, str) else message.string
        for text in texts:
            assert _fields(text) <= _fields(singular) | (
                set() if isinstance(message.id, str) else _fields(message.id[0])
            ), message.id


def _fields(text: str) -> set[str]:
    return {name for _before, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}


def test_compiling_twice_changes_nothing_and_gettext_reads_it(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "sentinel.po"
    source.write_bytes(catalogue.CATALOGUE.read_bytes())
    target = catalogue.compile_catalogue(source)
    before = target.stat().st_mtime_ns
    assert catalogue.compile_catalogue(source).stat().st_mtime_ns == before
    with target.open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Usage:") == "用法:"


def test_the_reference_page_is_up_to_date() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.text(), "python -m tools.build.reference"
