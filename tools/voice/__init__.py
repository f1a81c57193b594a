"""Voice clips, rendered at build time."""
