"""Measurements, each beside the floor of the same server in the same run. `python -m tests.benchmarks --help`."""
