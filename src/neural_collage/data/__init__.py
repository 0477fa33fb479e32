"""Images to train and test on: where they come from, crops of them, and batches of crops."""

from neural_collage.extras import needs_extra

with needs_extra("train"):
    import datasets  # noqa: F401
