"""The compressor of Poli et al. on aerial scenes, beside its rate estimate and other codecs."""
