"""Real roadside clips against what a person counted in them: who arrives, and where nothing new happens."""
