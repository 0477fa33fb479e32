"""The mathematics of collages: partitions, isometries, fixed points; no files, no networks."""
