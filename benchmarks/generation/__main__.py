"""`python -m benchmarks.generation`."""

from benchmarks.generation.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
