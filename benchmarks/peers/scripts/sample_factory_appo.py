"""APPO of Sample Factory: collects while it learns, in processes that step several games each."""

import sys
from typing import Any

from sample_factory.algo.utils.misc import LEARNER_ENV_STEPS  # type: ignore[import-not-found]
from sample_factory.cfg.arguments import (  # type: ignore[import-not-found]
    parse_full_cfg,
    parse_sf_args,
)
from sample_factory.envs.env_utils import register_env  # type: ignore[import-not-found]
from sample_factory.train import make_runner  # type: ignore[import-not-found]

from benchmarks.gymnasium_games import make_with_sign_rewards
from benchmarks.peers.scripts.sizes import ENDLESS, Sizes, mark, read_sizes

STACK = 4


def settings(sizes: Sizes) -> dict[str, object]:
    """Return Sample Factory's own options for Atari, with the sizes that all peers share."""
    return {
        "env": sizes.game,
        "experiment": "peer",
        "train_dir": "train",
        "device": "cpu",
        "seed": 1,
        "train_for_env_steps": ENDLESS,
        "save_every_sec": 1_000_000,
        "summaries_use_frameskip": False,
        "num_workers": sizes.processes,
        "num_envs_per_worker": sizes.num_envs // sizes.processes,
        "worker_num_splits": 2,
        "rollout": sizes.num_steps,
        "batch_size": sizes.minibatch_size,
        "num_batches_per_epoch": sizes.minibatches,
        "num_epochs": sizes.epochs,
        "encoder_conv_architecture": "convnet_atari",
        "nonlinearity": "relu",
        "use_rnn": False,
        "recurrence": 1,
        "normalize_input": False,
        "obs_scale": 255.0,
        "normalize_returns": False,
        "gamma": 0.999,
        "learning_rate": 1e-4,
        "ppo_clip_ratio": 0.1,
        "exploration_loss_coeff": 0.001,
        "max_grad_norm": 0.5,
    }


def make(env_id: str, *_: Any, **__: Any) -> Any:
    """Build a game, in whatever process."""
    return make_with_sign_rewards(env_id, STACK)


def tell(_: Any, message: dict[str, int], __: int) -> None:
    """Mark an update that the learner has told of."""
    mark(message[LEARNER_ENV_STEPS])


def main() -> int:
    """Train until somebody ends it."""
    sizes, _ = read_sizes()
    if sizes.num_envs % (2 * sizes.processes):
        sys.exit("two halves of the environments of every process: --num_envs does not divide")

    register_env(sizes.game, make)
    flags = [f"--{name}={value}" for name, value in settings(sizes).items()]
    parser, _ = parse_sf_args(flags)
    _, runner = make_runner(parse_full_cfg(parser, flags))
    runner.policy_msg_handlers[LEARNER_ENV_STEPS].append(tell)
    return int(runner.init() or runner.run())


if __name__ == "__main__":
    sys.exit(main())
