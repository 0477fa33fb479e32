"""The collage operator as a layer, and heads that predict its parameters; no whole models."""
