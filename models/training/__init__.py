"""How the bundled detectors are made: not needed on a node, kept so that anyone can make them again.

``python -m models.training RECIPE …`` goes from labelled pictures to an ONNX file and a report; ``requirements.txt``
beside this file says what it needs. Down the way: ``labels`` (with what a teacher adds), ``pictures`` (what is drawn
from them), ``graph``, ``narrow`` and ``prune`` (the network, and how it is made smaller), ``train``, ``shipping``,
``quantise``, ``report``; then ``bundle`` puts the result into the package and ``export_ncnn`` makes the files of the
second runtime.
"""
