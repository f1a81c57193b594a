"""``sentinel report``: one day at one junction, from the journal, as text, JSON or one HTML page."""

SHORT_HELP = {
    "report": {
        "zh": "汇总一天:谁经过、怎样被警示、险情、车速",
        "en": "Sum up a day: who passed, how they were warned, near misses, speeds",
    }
}
"""For ``sentinel --help``, which must not import what the verb needs."""
