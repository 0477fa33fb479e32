"""Decoding at twice the size beside bicubic enlargement of the decode at 1x."""
