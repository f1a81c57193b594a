"""How soon a camera notices what is wrong with its own picture, and whether it stays silent while nothing is."""
