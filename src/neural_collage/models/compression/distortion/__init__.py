"""How pictures differ: to squared errors, to the eye, and mixtures that codecs are trained for."""
