"""Networks that predict detail above the original size of a picture; no codecs."""
