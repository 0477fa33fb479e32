"""What the studio's worker processes compute, each from files to files; no sessions, no HTTP."""
