"""The collage operator as a differentiable layer, and the heads that predict its parameters."""
