"""What is made before the program is packed or run from a source tree."""
