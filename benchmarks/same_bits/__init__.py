"""Whether files decode to identical pixels with any number of threads, kernels and dtypes."""
