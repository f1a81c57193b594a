"""Tools of the desk and the office: demo, benches, rendering. May import anything; the node needs none of it."""
