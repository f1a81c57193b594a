"""``sentinel bench``: times and weighs a running node from outside, and ``python -m tools.bench.evidence`` keeps it."""

SHORT_HELP = {"bench": {"zh": "测量延迟、内存与启动时间", "en": "Measure latency, memory and start-up"}}
"""For ``sentinel --help``, which must not import what the verb needs."""
