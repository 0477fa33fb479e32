"""What happens between the steps of a training: checkpoints, averages, logs; no losses."""
