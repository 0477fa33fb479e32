"""COIN, the compressor of Poli et al. and other codecs on aerial scenes, as one table."""
