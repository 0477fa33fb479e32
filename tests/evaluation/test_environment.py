import torch

from neural_collage.evaluation.environment import Environment


def test_the_environment_names_processor_threads_and_versions() -> None:
    environment = Environment.current()
    assert environment.cores >= 1
    assert environment.threads == torch.get_num_threads()
    assert {"neural-collage", "torch", "Pillow", "libjpeg_turbo"} <= environment.versions.keys()
    for part in (environment.cpu, f"torch {torch.__version__}", "torch threads: 1"):
        assert part in str(environment)
