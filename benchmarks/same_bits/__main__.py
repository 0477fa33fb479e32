"""`python -m benchmarks.same_bits`."""

from benchmarks.same_bits.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
