"""How fast the studio answers, what it holds in memory, and how it treats many visitors."""
