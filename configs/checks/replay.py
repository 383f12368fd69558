"""What TD3 remembers and foretells with less effect than the user may expect."""

from configs.schema import Config


def td3_warnings(config: Config) -> list[str]:
    """Return a message on a use without a model, and on a buffer smaller than a batch of it."""
    td3, found = config.td3, []
    if config.run.agent != "TD3":
        return []
    if td3.transition_use != "frozen" and td3.transition_path is None:
        found.append(
            f"TransitionUse = {td3.transition_use} with TransitionModel = none: has no effect; "
            "name the model in TransitionModel"
        )
    if td3.replay_size < td3.batch_size:
        found.append(
            f"ReplaySize = {td3.replay_size} with ReplayBatchSize = {td3.batch_size}: a batch "
            "holds each remembered step several times, and next to nothing is learnt; raise "
            "ReplaySize"
        )
    return found
