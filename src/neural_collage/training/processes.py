"""The processes of a training on several devices."""

from lightning.pytorch.utilities import rank_zero_only


def is_first_process() -> bool:
    """Whether this process is the one that writes files and speaks to the user.

    Lightning, torchrun and SLURM tell each process its number before it starts.
    """
    return int(getattr(rank_zero_only, "rank", 0)) == 0
