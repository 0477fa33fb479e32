"""The environment of a measurement: processor, threads and versions, stored with its results."""

import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from PIL import features

from neural_collage.runtime import available_cores


@dataclass(frozen=True)
class Environment:
    """Machine and library versions of one process."""

    cpu: str
    cores: int
    """Cores that this process may use."""
    threads: int
    """Threads that torch uses."""
    system: str
    versions: dict[str, str]

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{self.cpu}, cores: {self.cores}, torch threads: {self.threads}; {versions}"

    @classmethod
    def current(cls) -> "Environment":
        """Describe the running process."""
        return cls(
            cpu=_cpu_model(),
            cores=available_cores(),
            threads=torch.get_num_threads(),
            system=f"{platform.system()} {platform.machine()}",
            versions=_versions(),
        )


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


_PLUGINS = ("pillow-jxl-plugin", "pillow-heif", "torchmetrics", "ssimulacra2")
"""Packages of formats and metrics, named where they are installed."""


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("neural-collage", "torch", "numpy", "Pillow")}
    for name in _PLUGINS:
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    libraries = {
        name: features.version(name) or "unknown"
        for name in ("libjpeg_turbo", "webp", "jpg_2000", "avif")
        if features.check(name)
    }
    return {"python": platform.python_version(), **packages, **libraries}
