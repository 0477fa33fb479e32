"""The network of the neural codec and its entropy model, float and integer; no bits, no files."""
