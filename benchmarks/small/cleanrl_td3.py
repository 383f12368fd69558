"""Pendulum-v1 by CleanRL's TD3, unchanged, with the numbers of configs/Pendulum/td3.conf.

    python -m benchmarks.small.cleanrl_td3 ENV_STEPS SEED

It was written for the gym of 2022, whose spaces today's stable-baselines3, whose replay buffer it
takes, does not know; and with 256 units in each hidden layer, which are 400 and 300 here.
"""

import runpy
import sys
from typing import Any

SIZES = (400, 300)
OWN_SIZE = 256


def layer_sizes(inputs: int, outputs: int) -> tuple[int, int]:
    """Return the sizes of a layer of its networks with SIZES in the place of OWN_SIZE.

    The second layer alone has hidden units on both sides.
    """
    if inputs == OWN_SIZE:
        return (SIZES[0], SIZES[1]) if outputs == OWN_SIZE else (SIZES[1], outputs)
    return inputs, SIZES[0] if outputs == OWN_SIZE else outputs


def adapt() -> None:
    """Let torch's linear layers and the replay buffer be what its script wants here."""
    import gymnasium  # noqa: PLC0415 - the other trainer's environment
    import torch  # noqa: PLC0415
    from stable_baselines3.common import buffers  # type: ignore[import-not-found]  # noqa: PLC0415

    class Layer(torch.nn.Linear):
        def __init__(self, inputs: Any, outputs: Any) -> None:
            super().__init__(*layer_sizes(int(inputs), int(outputs)))

    class Buffer(buffers.ReplayBuffer):  # type: ignore[misc] # the package has no types here
        def __init__(self, size: int, seen: Any, done: Any, *more: Any, **named: Any) -> None:
            boxes = (gymnasium.spaces.Box(s.low, s.high, s.shape, s.dtype) for s in (seen, done))
            super().__init__(size, *boxes, *more, **named)

    torch.nn.Linear = Layer  # type: ignore[misc, assignment]
    buffers.ReplayBuffer = Buffer
    torch.set_num_threads(1)


def main() -> None:
    """Train; its script prints the return of each episode."""
    flags = {
        "env-id": "Pendulum-v1",
        "cuda": "False",
        "total-timesteps": sys.argv[1],
        "seed": sys.argv[2],
        "learning-rate": "1e-3",
        "buffer-size": "200000",
        "learning-starts": "1000",
        "batch-size": "100",
        "tau": "0.005",
        "gamma": "0.98",
        "exploration-noise": "0.1",
        "policy-noise": "0.2",
        "noise-clip": "0.5",
        "policy-frequency": "2",
    }
    sys.argv = ["td3", *(f"--{name}={value}" for name, value in flags.items())]
    adapt()
    runpy.run_module("cleanrl.td3_continuous_action", run_name="__main__")


if __name__ == "__main__":
    main()
