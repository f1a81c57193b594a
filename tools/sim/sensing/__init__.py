"""From a scene's true trajectories to what a node's sensors would have said: bytes, observations, one recording."""
