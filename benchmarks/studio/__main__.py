"""`python -m benchmarks.studio`."""

from benchmarks.studio.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
