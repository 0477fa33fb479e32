"""Completeness of batches whose processes, disks, inputs or Ray nodes fail during the run."""
