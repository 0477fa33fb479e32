"""`python -m benchmarks.targets`."""

from benchmarks.support.commands import run
from benchmarks.targets.study import main

if __name__ == "__main__":
    run(main)
