"""Cameras: each yields its newest picture only, stamped when it was grabbed."""
