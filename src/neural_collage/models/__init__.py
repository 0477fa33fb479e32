"""Networks and their configurations; no entropy coding (`codec`), no training (`training`)."""
