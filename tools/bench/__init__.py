"""``sentinel bench``: times and weighs a running node from outside, and ``python -m tools.bench.evidence`` keeps it."""
