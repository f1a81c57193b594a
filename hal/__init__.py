"""Hardware abstraction: radars, cameras, lamps, speakers and the clock. Imports nothing else of this project."""
