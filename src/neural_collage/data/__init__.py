"""Images to train and test on: where they come from, crops of them, and batches of crops."""
