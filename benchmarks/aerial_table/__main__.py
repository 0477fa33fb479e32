"""`python -m benchmarks.aerial_table`."""

from benchmarks.aerial_table.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
