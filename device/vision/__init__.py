"""The vision process: cameras and the detector; sends observations, never pictures, to core."""
