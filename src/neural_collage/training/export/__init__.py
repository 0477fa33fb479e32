"""From finished trainings to the weights and tables that ship: one program in each module."""
