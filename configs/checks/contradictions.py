"""What contradicts itself, of all parts."""

from configs.checks.bonus import check_bonus
from configs.checks.encoder import check_encoder
from configs.checks.environment import check_environment
from configs.checks.evolution import check_evolution
from configs.checks.learning import check_learning
from configs.checks.policy import check_custom_model, check_memory
from configs.checks.representation import check_representation
from configs.checks.run import check_run
from configs.checks.td3 import check_td3
from configs.schema import Config


def contradictions(config: Config) -> list[str]:
    """Return one message for each pair of values that cannot stand together.

    Keys that mean nothing to the agent contradict nothing.
    """
    everywhere = [*check_environment(config), *check_run(config)]
    match config.run.agent:
        case "CMA-ES":
            return [*everywhere, *check_evolution(config)]
        case "TD3":
            return [*everywhere, *check_encoder(config), *check_td3(config)]
    return [
        *everywhere,
        *check_learning(config),
        *check_bonus(config),
        *check_representation(config),
        *check_encoder(config),
        *check_custom_model(config),
        *check_memory(config),
    ]
