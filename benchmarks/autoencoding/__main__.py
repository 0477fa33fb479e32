"""`python -m benchmarks.autoencoding`."""

from benchmarks.autoencoding.study import main
from benchmarks.support.commands import run

if __name__ == "__main__":
    run(main)
