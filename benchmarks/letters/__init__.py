"""Letters above their size: what links are worth, beside interpolation and without links."""
