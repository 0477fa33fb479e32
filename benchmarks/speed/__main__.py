"""`python -m benchmarks.speed`."""

if __name__ == "__main__":  # started processes import this module, and shall import no more
    from benchmarks.speed.study import main
    from benchmarks.support.commands import run

    run(main)
