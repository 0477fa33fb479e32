"""`python -m benchmarks.ablation`."""

from benchmarks.ablation.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
