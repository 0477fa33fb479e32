"""The studio: the library in a browser, on this machine alone."""
