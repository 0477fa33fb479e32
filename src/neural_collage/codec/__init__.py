"""Bits: the .clg container, the codecs that fill it, and pictures going in and out."""
