"""A fleet on a desk: the bridges and provisions of a whole county on one machine, with one Mosquitto and mutual TLS."""
