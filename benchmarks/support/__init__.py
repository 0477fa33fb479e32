"""What studies share: command lines, photos, timing, processes and result files."""
