"""Rate, distortion and time of the neural codec's efforts, and times of complete calls."""
