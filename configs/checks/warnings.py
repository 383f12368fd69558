"""What is allowed but unwise."""

from configs.checks.replay import td3_warnings
from configs.schema import Config

LARGEST_GAMMA_OF_MAZES = 0.99  # docs/study.md, slow slides
# In ids whose episodes terminate where they are lost: lava, a crash, a fall, the edge of a track.
LOST = (
    *("Lava", "DistShift", "CartPole", "LunarLander", "CarRacing", "BipedalWalker"),
    *("Hopper", "Walker2d", "Ant-", "Humanoid-", "InvertedPendulum", "InvertedDoublePendulum"),
)


def warnings(config: Config) -> list[str]:
    """Return one message for each choice that will do, but not all that the user may expect."""
    return [
        *_without_effect(config),
        *td3_warnings(config),
        *_no_goal(config),
        *_believing(config),
        *_unsafe(config),
    ]


def _without_effect(config: Config) -> list[str]:
    intrinsic, ppo, found = config.intrinsic, config.ppo, []
    if intrinsic.use_slow_backbone and intrinsic.rnd_input != "features":
        found.append(
            f"UseEmaBackboneForRND = True with RNDInput = {intrinsic.rnd_input}: has no effect, "
            "since the bonus does not look at the policy's features; set RNDInput = features for "
            "that"
        )
    elif intrinsic.use_slow_backbone and config.learns_from_features:
        found.append(
            f"UseEmaBackboneForRND = True with Representation = {config.representation.use}: has "
            "no effect, since the features of an encoder at rest do not move; leave it out"
        )
    if ppo.memory == "none" and ppo.memory_size != "auto":
        found.append(
            f"MemorySize = {ppo.memory_size} with PolicyMemory = none: has no effect; set "
            "PolicyMemory to GRU or LSTM"
        )
    return found


def _no_goal(config: Config) -> list[str]:
    environment = config.environment
    if environment.learning_reward != "goal" or not any(
        name in environment.env_id for name in LOST
    ):
        return []
    return [
        f"LearningReward = goal with EnvID = {environment.env_id}: pays 1 wherever an episode "
        "terminates, and one of these does where it is lost; set LearningReward = raw"
    ]


def _believing(config: Config) -> list[str]:
    ppo, is_maze = config.ppo, config.environment.env_type == "minigrid"
    if not is_maze or config.run.agent != "PPO":
        return []
    if not ppo.bootstrap_truncations or ppo.gamma <= LARGEST_GAMMA_OF_MAZES:
        return []
    return [
        f"EnvType = minigrid with Gamma = {ppo.gamma:g}: these mazes are cut early, and critics "
        "that value what follows the cut may come to believe in returns that nobody pays; "
        f"Gamma = {LARGEST_GAMMA_OF_MAZES} forgets them, BootstrapTruncations = False learns the "
        "limit as an end"
    ]


def _unsafe(config: Config) -> list[str]:
    run = config.run
    if run.worker_backend == "ale_vector":
        return [
            f"WorkerBackend = {run.worker_backend}: no rooms are counted, a run that is continued "
            "starts new episodes, and an emulator that hangs or crashes is not replaced"
        ]
    replacing = run.step_timeout + run.reset_timeout
    if run.collective_timeout > replacing:
        return []
    return [
        f"CollectiveTimeout = {run.collective_timeout} is no longer than WorkerStepTimeout = "
        f"{run.step_timeout} + WorkerResetTimeout = {run.reset_timeout}: a rank that replaces a "
        "hung worker may be taken for lost"
    ]
