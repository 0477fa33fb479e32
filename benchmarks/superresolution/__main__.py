"""`python -m benchmarks.superresolution`."""

from benchmarks.superresolution.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
