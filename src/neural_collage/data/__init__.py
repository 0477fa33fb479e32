"""Images to train and test on: their sources, crops of them, and batches of crops."""
