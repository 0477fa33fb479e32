"""Throughput, start-up time and memory of batch compression with processes and with Ray."""
