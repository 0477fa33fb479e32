"""`python -m benchmarks.restoration`."""

from benchmarks.restoration.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
