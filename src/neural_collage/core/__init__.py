"""The mathematics of collages: blocks, isometries, partitions, fixed points, exact decoding."""
