"""The node's line to its county: MQTT out of the journal, one process, nothing of the road waits for it."""
