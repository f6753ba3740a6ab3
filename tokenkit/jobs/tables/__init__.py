"""Tables that a connector reads and writes, as jobs see them."""
