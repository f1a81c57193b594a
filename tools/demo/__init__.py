"""``sentinel demo``: a demonstration junction, guarded by the real processes and judged from outside."""

SHORT_HELP = {"demo": {"zh": "守护一个演示路口并给出小结", "en": "Guard a demonstration junction and sum it up"}}
"""For ``sentinel --help``, which must not import what the verb needs."""
