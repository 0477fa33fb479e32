"""`python -m benchmarks.batches`."""

from benchmarks.batches.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
