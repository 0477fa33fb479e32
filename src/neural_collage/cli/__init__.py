"""The `collage` command; one thin module per subcommand, heavy imports inside them."""
