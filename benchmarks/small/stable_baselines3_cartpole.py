"""CartPole by stable-baselines3, with the numbers of configs/CartPole/config_ppo00.conf.

python -m benchmarks.small.stable_baselines3_cartpole ENV_STEPS SEED
"""

import sys


def main() -> None:
    """Train; print the mean of the last 100 training episodes."""
    import torch  # noqa: PLC0415 - the other trainer's environment
    from stable_baselines3 import PPO  # type: ignore[import-not-found]  # noqa: PLC0415
    from stable_baselines3.common.env_util import (  # type: ignore[import-not-found]  # noqa: PLC0415
        make_vec_env,
    )

    env_steps, seed = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    model = PPO(
        "MlpPolicy",
        make_vec_env("CartPole-v1", n_envs=8, seed=seed),
        n_steps=32,
        batch_size=256,
        n_epochs=20,
        learning_rate=lambda left: 1e-3 * left,
        clip_range=0.2,
        ent_coef=0.0,
        gae_lambda=0.8,
        gamma=0.98,
        max_grad_norm=0.5,
        seed=seed,
        device="cpu",
    )
    model.learn(env_steps)
    returns = [episode["r"] for episode in model.ep_info_buffer or ()]
    print(f"mean {sum(returns) / max(1, len(returns)):.1f}")


if __name__ == "__main__":
    main()
