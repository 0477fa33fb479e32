"""Fractal art, styles, samples, zooms, movies, restoration; no user interface (`cli`, `web`)."""
