"""Time and peak memory of the codecs, by picture size, beside JPEG and JPEG 2000."""
