"""Which language the command line speaks: Chinese, unless ``--lang en`` or SENTINEL_LANG=en.

Invariants: the locale is not asked (a bare one says nothing on most poles); standard library only, because this runs
before Click is imported; without a compiled catalogue everything is English and nothing fails.
"""

import gettext
import os
import pathlib
from collections.abc import Sequence
from gettext import gettext as translate

DOMAIN = "sentinel"
LOCALE_DIR = pathlib.Path(__file__).resolve().parent.parent / "locale"
LANGUAGES = ("zh", "en")
DEFAULT = "zh"
_CATALOGUES = {"zh": "zh_CN", "en": "en"}

_current = DEFAULT


def wanted_language(arguments: Sequence[str]) -> str:
    """The language asked for on the command line or in the environment; an unknown word is left to Click to refuse."""
    asked = os.environ.get("SENTINEL_LANG", DEFAULT)
    for index, word in enumerate(arguments):
        if word == "--":
            break
        if word.startswith("--lang="):
            asked = word.removeprefix("--lang=")
        elif word == "--lang" and index + 1 < len(arguments):
            asked = arguments[index + 1]
    return asked if asked in LANGUAGES else DEFAULT


def set_language(lang: str) -> None:
    """Makes gettext speak ``zh`` or ``en`` from now on, for us and for Click."""
    global _current
    _current = lang
    os.environ["LANGUAGE"] = _CATALOGUES[lang]
    gettext.bindtextdomain(DOMAIN, str(LOCALE_DIR))
    gettext.textdomain(DOMAIN)


def language() -> str:
    """The language in use."""
    return _current


def _(message: str) -> str:
    """The message in the language in use."""
    # gettext answers an empty msgid with the catalogue's header.
    return translate(message) if message else message


def N_(message: str) -> str:
    """Marks a message that is translated where it is shown."""
    return message
