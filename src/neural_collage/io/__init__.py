"""Pictures in and out: reading, converting and writing them, size limits; nothing about codecs."""
