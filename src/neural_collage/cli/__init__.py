"""The `collage` command: one thin module per subcommand; no work that Python users would miss."""
