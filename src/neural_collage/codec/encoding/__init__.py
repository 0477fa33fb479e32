"""Which file a picture becomes: its layers, what quality promises, targets; no streams."""
