"""How near files come to a target size, and what the search for them costs."""
