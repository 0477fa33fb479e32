"""What is trained: models with their losses, metrics and optimiser; nothing about running them."""
