"""Metrics, and rate-distortion curves of this and other codecs; no studies (`benchmarks`)."""
