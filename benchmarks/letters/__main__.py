"""`python -m benchmarks.letters`."""

from benchmarks.letters.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
