"""Measuring: picture metrics, rate-distortion curves against the codecs in use, and their plots."""
