"""`python -m benchmarks.selfsimilar`."""

from benchmarks.selfsimilar.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
