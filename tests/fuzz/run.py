"""Coverage-guided fuzzing of a target with atheris (`make fuzz`).

    python -m tests.fuzz.run decode -max_total_time=600 NEW_CORPUS tests/fuzz/corpus

All that follows the name of the target goes to libFuzzer. Mutants get a checksum that fits, or
none would come past it. A crash leaves the bytes in a file crash-*; an input that takes more than
two seconds counts as one.
"""

import random
import sys

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

with atheris.instrument_imports(include=["neural_collage"]):
    import neural_collage.codec.image
    import neural_collage.codec.streams.fractal
    import neural_collage.codec.streams.neural
    import neural_collage.codec.streams.poli2022  # noqa: F401

from tests.fuzz.targets import TARGETS, mutated, sealed
from tests.fuzz.targets import corpus as seeds


def main() -> None:
    """Fuzz until libFuzzer has enough."""
    name, *options = sys.argv[1:] or [""]
    if name not in TARGETS:
        raise SystemExit(f"name a target first: {', '.join(TARGETS)}")
    files = seeds()

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        mutant = mutated(data or rng.choice(files), files, rng)
        return (sealed(mutant) if rng.random() < 0.9 else mutant)[:max_size]

    atheris.Setup(
        [sys.argv[0], "-timeout=2", "-rss_limit_mb=4096", "-max_len=4096", *options],
        lambda data: TARGETS[name](data) and None,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
