"""Judges the warning on simulated traffic: ``make evaluate``.

    plan -> tools.sim (traffic, sensor bytes) -> device.replay -> lamp lines -> duty and verdict -> figures

Invariant: the judge knows the road, the site file and the lines that the node printed, and nothing of how the node
came to them: it imports no tracking, fusion, decision, health or pipeline. What each face must and may show is
recomputed here from what truly happened, so that an error of the node's arithmetic cannot excuse itself.
"""
