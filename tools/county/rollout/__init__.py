"""A change for the whole county, in waves: each has to stand before the next begins, and what did harm goes back.

``plan`` who is in which wave · ``state`` the file of a rollout · ``judge`` what a node's words mean, and the next step
· ``signing`` all that will be said, signed at the start · ``driver`` says it, listens, goes on · ``cli`` the verbs.
"""
