"""`python -m benchmarks.exhaustive`."""

from benchmarks.exhaustive.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
