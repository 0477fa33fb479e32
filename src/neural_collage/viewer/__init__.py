"""Pages that show a file in a browser without a server; no image processing, no web application."""
