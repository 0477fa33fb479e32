"""What the parts of the neural codec contribute: short trainings that differ in one component."""
