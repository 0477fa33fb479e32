"""Programs that export finished trainings as weights and tables of the package; no training."""
