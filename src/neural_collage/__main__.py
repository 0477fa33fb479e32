"""`python -m neural_collage`: the `collage` command."""

from neural_collage.cli.main import run

if __name__ == "__main__":
    run()
