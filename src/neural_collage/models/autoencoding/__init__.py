"""Networks from images to collages and back, and the plain autoencoder to compare them with."""
