"""Trainers on the devices of a config, or of processes started by torchrun or SLURM.

Lightning starts the processes of one machine itself. Those of several machines are started by
torchrun or SLURM's srun, which set the rank and the number of processes in their environment.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jsonargparse import Namespace
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer

from neural_collage.errors import ConfigError


@dataclass(frozen=True)
class Launch:
    """How the processes of a training were started.

    by: the name of the launcher.
    devices: number of processes on each machine, one for each device.
    machines: number of machines.
    environment: Lightning's view of the launcher.
    """

    by: str
    devices: int
    machines: int
    environment: ClusterEnvironment


def launch() -> Launch | None:
    """The launch of this process, None if it was started alone.

    Raises:
        ConfigError: not every machine has the same number of processes.
    """
    names: tuple[str, str]
    environment: ClusterEnvironment
    if TorchElasticEnvironment.detect():
        by, names = "torchrun", ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE")
        environment = TorchElasticEnvironment()
    elif _one_of_several_tasks():
        by, names = "srun", ("SLURM_NTASKS_PER_NODE", "SLURM_NNODES")
        if missing := sorted(set(names) - os.environ.keys()):
            raise ConfigError(
                f"srun: {' and '.join(missing)} not set: use --nodes and --ntasks-per-node instead "
                "of --ntasks"
            )
        # Lightning's requeueing writes checkpoints that `--ckpt last` does not find
        environment = SLURMEnvironment(auto_requeue=False)
    else:
        return None
    devices, machines = (int(os.environ[name]) for name in names)
    if devices * machines != environment.world_size():
        raise ConfigError(
            f"{by}: {environment.world_size()} processes on {machines} machines, but {devices} on "
            "this one: start the same number on each"
        )
    return Launch(by, devices, machines, environment)


def make_trainer(
    settings: Namespace, callbacks: Sequence[Callback], launched: Launch | None = None
) -> Trainer:
    """A trainer with these settings, on as many devices as processes have been launched.

    Raises:
        ConfigError: the settings contradict each other or the launch.
    """
    if launched is None:
        # In a batch script of SLURM, outside srun, Lightning would wait for other tasks.
        environment = LightningEnvironment() if "SLURM_NTASKS" in os.environ else None
        return _trainer(settings, callbacks, environment)
    if settings.devices == "auto":
        settings.devices = launched.devices
    if settings.num_nodes == 1:
        settings.num_nodes = launched.machines
    trainer = _trainer(settings, callbacks, launched.environment)
    if (trainer.num_devices, trainer.num_nodes) != (launched.devices, launched.machines):
        raise ConfigError(
            f"trainer: {trainer.num_devices} devices on {trainer.num_nodes} machines, but "
            f"{launched.by} has started {launched.devices} processes on {launched.machines}: leave "
            "devices and num_nodes out"
        )
    return trainer


def _one_of_several_tasks() -> bool:
    """Whether srun has started this process as one of several tasks of a job step."""
    return "SLURM_STEP_ID" in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1


def _trainer(
    settings: Namespace, callbacks: Sequence[Callback], environment: ClusterEnvironment | None
) -> Trainer:
    settings.callbacks = [*_as_list(settings.callbacks), *callbacks]
    if environment is not None:
        settings.plugins = [*_as_list(settings.plugins), environment]
    try:
        return Trainer(**settings)
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise ConfigError(f"trainer: {error}") from error


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
