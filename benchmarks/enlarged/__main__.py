"""`python -m benchmarks.enlarged`."""

from benchmarks.enlarged.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
