"""`python -m benchmarks.speed`."""

from benchmarks.speed.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
