"""Measured points on disk, so that an interrupted benchmark continues where it stopped.

One file a picture and codec. Its name holds a hash of all that the points depend on; points of
other settings, versions or weights are therefore not found, and measured again.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from PIL import Image

from neural_collage.evaluation import distortion, metrics
from neural_collage.evaluation.codecs import BenchmarkCodec
from neural_collage.evaluation.distortion import Metric
from neural_collage.evaluation.environment import Environment
from neural_collage.evaluation.results import Point
from neural_collage.io.files import write_atomically


@dataclass(frozen=True)
class KeptPoints:
    """Points in a folder, which is made when the first ones are added.

    environment: machine and versions; points of another one are not found.
    """

    folder: Path
    environment: Environment

    def find(
        self, path: Path, picture: Image.Image, codec: BenchmarkCodec, measured: Sequence[Metric]
    ) -> list[Point] | None:
        """The points of a picture, None if there are none or their file is damaged."""
        try:
            entries = json.loads(self._file(path, picture, codec, measured).read_bytes())
            points = [_from_json(entry) for entry in entries]
        except (OSError, ValueError, TypeError, LookupError):
            return None
        return points if [p.quality for p in points] == list(codec.qualities) else None

    def add(
        self,
        path: Path,
        picture: Image.Image,
        codec: BenchmarkCodec,
        measured: Sequence[Metric],
        points: Sequence[Point],
    ) -> None:
        """Keep points.

        Raises:
            OutputError: the folder cannot be written to.
        """
        file = self._file(path, picture, codec, measured)
        file.parent.mkdir(parents=True, exist_ok=True)
        entries = [point_as_json(point) for point in points]
        write_atomically(file, json.dumps(entries, allow_nan=False).encode())

    def _file(
        self, path: Path, picture: Image.Image, codec: BenchmarkCodec, measured: Sequence[Metric]
    ) -> Path:
        causes = (
            *(picture.size, sha256(picture.tobytes()).hexdigest()),
            *(codec.name, codec.options, codec.qualities, codec.revision),
            *([metric.name for metric in measured], _metrics_digest()),
            asdict(self.environment),
        )
        key = sha256(json.dumps(causes, sort_keys=True).encode()).hexdigest()[:16]
        return self.folder / f"{_plain(path.stem)}.{_plain(codec.name)}.{key}.json"


def point_as_json(point: Point) -> dict[str, object]:
    """A point for JSON, where the infinite PSNR of an unchanged picture is null."""
    return {**asdict(point), "psnr": point.psnr if math.isfinite(point.psnr) else None}


def _from_json(entry: dict[str, float | None]) -> Point:
    return Point(**{**entry, "psnr": math.inf if entry["psnr"] is None else entry["psnr"]})  # type: ignore[arg-type]


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)


@lru_cache
def _metrics_digest() -> str:
    """A hash of the sources of the metrics."""
    folder = Path(metrics.__file__).parent
    sources = (Path(metrics.__file__), Path(distortion.__file__), folder / "ssimulacra2.py")
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
