"""Pendulum-v1 by stable-baselines3's TD3, with the numbers of configs/Pendulum/td3.conf.

python -m benchmarks.small.stable_baselines3_td3 ENV_STEPS SEED
"""

import sys


def main() -> None:
    """Train; print the mean of the last 100 training episodes."""
    import numpy as np  # noqa: PLC0415 - the other trainer's environment
    import torch  # noqa: PLC0415
    from stable_baselines3 import TD3  # type: ignore[import-not-found]  # noqa: PLC0415
    from stable_baselines3.common.noise import (  # type: ignore[import-not-found]  # noqa: PLC0415
        NormalActionNoise,
    )

    env_steps, seed = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    model = TD3(
        "MlpPolicy",
        "Pendulum-v1",
        learning_rate=1e-3,
        buffer_size=200_000,
        learning_starts=1_000,
        batch_size=100,
        tau=0.005,
        gamma=0.98,
        train_freq=1,
        gradient_steps=1,
        action_noise=NormalActionNoise(np.zeros(1), 0.1 * np.ones(1)),
        policy_delay=2,
        target_policy_noise=0.2,
        target_noise_clip=0.5,
        policy_kwargs={"net_arch": [400, 300]},
        seed=seed,
        device="cpu",
    )
    model.learn(env_steps)
    returns = [episode["r"] for episode in model.ep_info_buffer or ()]
    print(f"mean {sum(returns) / max(1, len(returns)):.1f}")


if __name__ == "__main__":
    main()
