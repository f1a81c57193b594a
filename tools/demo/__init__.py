"""``sentinel demo``: a demonstration junction, guarded by the real processes and judged from outside."""
