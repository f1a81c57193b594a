"""The node's own programs and the pure pipeline between its sensors and its lamps."""
