"""`python -m benchmarks.operator`."""

from benchmarks.operator.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
