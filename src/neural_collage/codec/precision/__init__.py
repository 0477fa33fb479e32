"""The precision layer of the neural codec: patches for what its learned ones leave; no streams."""
