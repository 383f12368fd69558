"""Which keys mean something to which agent (key Agent)."""

from collections.abc import Mapping

from configs.options import all_options, option_values, value_text
from configs.presets import PresetValue
from configs.schema import Config

# What goes without saying with an agent, by its folded name: other defaults than PPO's.
IMPLIED: Mapping[str, Mapping[str, PresetValue]] = {"td3": {"IntrinsicReward": "none"}}

_OF_ONE = {"TD3": "TD3", "Evolution": "CMA-ES"}  # sections, each of one agent
_OF_LEARNING = frozenset({"PPO", "Intrinsic", "Representation"})
_OF_ROLLOUTS = frozenset({"OverlapCollection", "EnvironmentGroups"})  # in [Run]
# Of these sections, what TD3 takes too: the network for frames, encoders, the scale of states; and
# what may be said since it says that there is no bonus and no head.
_TAKEN_BY_TD3 = frozenset(
    {
        "ConvChannels",
        "ThirdKernel",
        "HiddenSize",
        "FeatureDim",
        "ObservationScaling",
        "Backbone",
        "IntrinsicReward",
        "RepresentationLearningParameter",
        "Representation",
        "EncoderLearningRateFactor",
    }
)


def without_meaning(config: Config, sources: Mapping[str, str]) -> list[str]:
    """Return messages on keys that were set and mean nothing to the agent, if there are any.

    One is on those of the command line, one on those of file and preset.

    A key that says its default changes nothing anyway: a run's own recipe names all keys. What
    says none is true of an agent that has no such thing.

    Args:
        config: the checked configuration.
        sources: where each key's value comes from, see LoadedConfig.
    """
    agent = config.run.agent
    values = option_values(config)
    idle = [
        option.key
        for option in all_options().values()
        if sources[option.key] != "default"
        and value_text(values[option.key]) not in (option.default, "none")
        if _is_idle(option.key, option.section, agent)
    ]
    by_hand = [key for key in idle if sources[key] == "command line"]
    others = [key for key in idle if key not in by_hand]
    return [
        f"{', '.join(keys)}: {'has' if len(keys) == 1 else 'have'} no effect with Agent = {agent}"
        for keys in (others, by_hand)
        if keys
    ]


def _is_idle(key: str, section: str, agent: str) -> bool:
    if section in _OF_ONE:
        return _OF_ONE[section] != agent
    of_ppo = section in _OF_LEARNING or key in _OF_ROLLOUTS
    if agent == "TD3":
        return of_ppo and key not in _TAKEN_BY_TD3
    return agent == "CMA-ES" and of_ppo
