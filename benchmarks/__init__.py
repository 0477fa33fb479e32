"""Studies that measure the library, one folder each: see README.md."""
