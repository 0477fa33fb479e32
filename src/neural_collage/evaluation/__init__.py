"""Evaluation: picture metrics, rate-distortion curves of our and other codecs, and their plots."""
