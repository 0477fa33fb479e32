"""`python -m benchmarks.viewer`."""

from benchmarks.support.commands import run
from benchmarks.viewer.study import main

if __name__ == "__main__":
    run(main)
