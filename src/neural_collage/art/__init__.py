"""Pictures for their own sake."""
