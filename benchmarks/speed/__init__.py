"""Time and peak memory of the codecs, as calls and as whole processes, beside Pillow's formats."""
