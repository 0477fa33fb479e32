"""Networks: the collage operator as a layer, and the models that predict its parameters."""
