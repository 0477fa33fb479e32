"""Images to train and test on: sources, crops, batches of crops; nothing about models."""
