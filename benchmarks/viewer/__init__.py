"""Pages of a file with its decoder: their size, and the time until they are seen."""
