"""`python -m benchmarks.faults`."""

from benchmarks.faults.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
