"""`python -m benchmarks.eye`."""

from benchmarks.eye.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
