"""Whether there is something to learn from."""

from configs.schema import Config


def check_learning(config: Config) -> list[str]:
    """Refuse a rollout of fewer samples than minibatches, and a run without a reward."""
    ppo, intrinsic, found = config.ppo, config.intrinsic, []
    samples = ppo.rollout_steps * config.run.num_envs
    if samples < ppo.num_minibatches:
        found.append(
            f"NumStep = {ppo.rollout_steps} x NumEnv = {config.run.num_envs} gives {samples} "
            f"samples, fewer than MiniBatch = {ppo.num_minibatches} minibatches"
        )
    bonus_counts = intrinsic.kind != "none" and intrinsic.coef > 0
    if ppo.extrinsic_coef == 0 and not bonus_counts:
        found.append(
            f"ExtCoef = {ppo.extrinsic_coef} with IntrinsicReward = {intrinsic.kind} and "
            f"IntCoef = {intrinsic.coef}: no reward is left to learn from"
        )
    return found
