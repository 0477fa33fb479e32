"""`python -m benchmarks.refinement`."""

from benchmarks.refinement.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
