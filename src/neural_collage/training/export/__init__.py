"""Programs that export finished trainings as the weights and tables of the package."""
