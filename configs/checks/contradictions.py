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
    """Return one message for each pair of values that cannot stand together."""
    if config.run.agent == "CMA-ES":  # which has no policy, bonus or head
        return [*check_environment(config), *check_evolution(config), *check_run(config)]
    return [
        *check_environment(config),
        *check_learning(config),
        *check_bonus(config),
        *check_representation(config),
        *check_encoder(config),
        *check_custom_model(config),
        *check_memory(config),
        *check_td3(config),
        *check_run(config),
    ]
