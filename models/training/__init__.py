"""How the bundled detector was made: not needed on a node, kept so that anyone can make it again.

``train`` fine-tunes and exports (needs ``requirements.txt`` beside this file), ``evaluate`` measures (needs only what
a node has), ``teachers`` runs the public detectors that we learn from and compare with.
"""
