"""Judges the bundled detectors beside two public ones on the same pictures: ``python -m tools.detector``.

Down the file list: ``split`` says which validation pictures are fair, ``scorers`` opens the models, ``degrade`` makes
night, rain and fog, ``looking`` runs every model over every picture once, ``matching`` and ``curves`` turn boxes into
AP50 and recall, ``questions`` asks them, ``alarms`` and ``pace`` measure false alarms and time, ``bars`` holds what is
asked of us, ``page`` prints, ``sheets`` draws.

Invariants: every model sees the same pictures through the suppression of ``models.boxes``; all intervals of a view come
from the same resampled pictures, so that differences are paired; no picture of ``../shared`` gets into the project.
"""
