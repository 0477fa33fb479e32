"""`python -m benchmarks.hostile`."""

from benchmarks.hostile.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
