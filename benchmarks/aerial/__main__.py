"""`python -m benchmarks.aerial`."""

from benchmarks.aerial.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
