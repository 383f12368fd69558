"""Whether a checkpoint fits the configuration it is to be continued or evaluated with."""

from collections.abc import Iterable

from configs.errors import CheckpointError
from configs.loading import LoadedConfig
from configs.schema import Config

# What a network's shape or an environment's meaning depends on, as section.field.
ENVIRONMENT_FIELDS = (
    "run.agent",
    "environment.env_type",
    "environment.env_id",
    "environment.observation_type",
    "environment.frame_skip",
    "environment.stack_size",
    "environment.frame_height",
    "environment.frame_width",
    "environment.frame_colour",
    "environment.action_repeat",
    "environment.action_space",
    "environment.layout_seed",
    "environment.action_mapping",
)
PROTOCOL_FIELDS = (
    "environment.max_episode_steps",
    "environment.sticky_actions",
    "environment.sticky_probability",
    "environment.life_done",
    "environment.nuisance",
    "environment.renderer",
    "environment.mario_stages",
    "environment.dream_temperature",
)
# Which environment it is. An evaluation may play another one, if its spaces are the same.
VARIANT_FIELDS = ("environment.env_type", "environment.env_id", "environment.layout_seed")
NETWORK_FIELDS = (
    "ppo.conv_channels",
    "ppo.third_kernel",
    "ppo.hidden_size",
    "ppo.feature_size",
    "ppo.state_hidden_sizes",
    "ppo.observation_scaling",
    "ppo.backbone",
    "ppo.custom_model",
    "ppo.custom_model_config",
    "ppo.memory",
    "ppo.memory_size",
    "intrinsic.kind",
    "intrinsic.rnd_input",
    "intrinsic.use_slow_backbone",
    "intrinsic.num_targets",
    "intrinsic.belief_size",
    "intrinsic.feature_size",
    "intrinsic.hidden_size",
    "intrinsic.conv_channels",
    "intrinsic.state_hidden_sizes",
    "intrinsic.leaky_slope",
    "representation.kind",
    "representation.byol_hidden_size",
    "representation.byol_projection_size",
    "representation.barlow_projection_sizes",
    "representation.freeze_backbone",
    "representation.use",
    "td3.actor_hidden_sizes",
    "td3.critic_hidden_sizes",
    "td3.transition_model",
    "td3.transition_use",
)
# Of Agent = CMA-ES, which has none of the others.
CONTROLLER_FIELDS = ("evolution.hidden_units", "evolution.inputs")
# A run may freeze what an earlier one trained; what was frozen has lost its head, and stays so.
FREEZING = "representation.freeze_backbone"
# These mean nothing where the agent sees state vectors, and those nothing where it sees frames.
PIXEL_FIELDS = frozenset(
    {
        "environment.frame_skip",
        "environment.stack_size",
        "environment.frame_height",
        "environment.frame_width",
        "environment.frame_colour",
        "environment.renderer",
        "ppo.conv_channels",
        "ppo.third_kernel",
        "ppo.hidden_size",
        "ppo.feature_size",
        "intrinsic.hidden_size",
        "intrinsic.conv_channels",
    }
)
STATE_FIELDS = frozenset(
    {"ppo.state_hidden_sizes", "ppo.observation_scaling", "intrinsic.state_hidden_sizes"}
)
# Of the policy's own networks, in whose place a model of the user's may stand.
OWN_NETWORK_FIELDS = frozenset(
    {
        *("ppo.conv_channels", "ppo.third_kernel", "ppo.hidden_size", "ppo.feature_size"),
        "ppo.state_hidden_sizes",
    }
)
# Of the policy's own network for frames, in whose place an encoder may stand.
OWN_BACKBONE_FIELDS = frozenset(
    {"ppo.conv_channels", "ppo.third_kernel", "ppo.hidden_size", "ppo.feature_size"}
)

CHANGE = "change these keys, or choose the checkpoint that belongs to this configuration"


def check_fit(
    wanted: Config,
    found: Config,
    source: str,
    fields: Iterable[str] | None = None,
    *,
    remedy: str = CHANGE,
) -> None:
    """Compare the configuration asked for with that of the checkpoint `source`.

    Args:
        wanted: the configuration of this run.
        found: the checkpoint's own.
        source: the checkpoint's path, for the message.
        fields: what to compare; by default all that shapes environment and networks.
        remedy: what to do where it does not fit.

    Raises:
        CheckpointError: with a table of what differs.

    """
    networks = (*NETWORK_FIELDS, *CONTROLLER_FIELDS)
    names = (*ENVIRONMENT_FIELDS, *networks) if fields is None else tuple(fields)
    unused = _unused(found)
    if wanted.run.agent != found.run.agent:  # whose networks have nothing to do with each other
        unused |= {*networks, "environment.action_mapping"}
    rows = [
        (key_of(wanted, name), value_of(wanted, name), value_of(found, name))
        for name in names
        if name not in unused
        if not _agree(value_of(wanted, name), value_of(found, name), name)
        if not (name == FREEZING and _freezes_what_was_trained(wanted))
    ]
    if rows:
        raise CheckpointError(f"{source} does not fit the configuration:\n{_table(rows)}\n{remedy}")


def _freezes_what_was_trained(wanted: Config) -> bool:
    """Whether `wanted` freezes the checkpoint's own backbone, none that it pretrains itself."""
    section = wanted.representation
    return section.freeze_backbone and section.pretraining_updates == 0


def _agree(wanted: str, found: str, name: str) -> bool:
    if name == "environment.action_mapping" and wanted == "auto":  # whichever the checkpoint has
        return True
    return wanted == found


def _unused(config: Config) -> frozenset[str]:
    """Return the fields that mean nothing in a run of `config`."""
    if config.run.agent == "CMA-ES":
        return frozenset(NETWORK_FIELDS)
    unused = set(STATE_FIELDS if config.observes_pixels else PIXEL_FIELDS)
    if config.intrinsic.rnd_input == "features":
        unused -= STATE_FIELDS
        unused |= {"intrinsic.conv_channels", "intrinsic.hidden_size"}
    else:
        unused.add("intrinsic.use_slow_backbone")
    if config.ppo.memory == "none":
        unused.add("ppo.memory_size")
    if config.ppo.encoder_path is not None:
        unused.discard("ppo.state_hidden_sizes")
        unused |= OWN_BACKBONE_FIELDS
    if config.custom_model_name is not None:
        unused |= OWN_NETWORK_FIELDS
    unused |= {name for name in NETWORK_FIELDS if _belongs_elsewhere(name, config)}
    return frozenset(unused | set(CONTROLLER_FIELDS))


def _belongs_elsewhere(name: str, config: Config) -> bool:
    """Whether a field is about another agent, another bonus or another head than `config`'s."""
    bonus, head = config.intrinsic.kind, config.representation.kind
    section, field = name.split(".")
    from_replay = config.run.agent == "TD3"
    if section == "td3" or name == "ppo.state_hidden_sizes":
        return from_replay != (section == "td3")
    if section == "intrinsic" and field != "kind":
        needs = {"num_targets": "DRND", "belief_size": "BYOL-Explore"}
        return bonus == "none" or needs.get(field, bonus) != bonus
    if field.startswith(("byol_", "barlow_")):
        return not head.lower().startswith(field.split("_")[0])
    return False


def stated_fields(loaded: LoadedConfig) -> list[str]:
    """Return the fields of environment, protocol and networks that file or command line give."""
    return [
        name
        for name in (*ENVIRONMENT_FIELDS, *PROTOCOL_FIELDS, *NETWORK_FIELDS, *CONTROLLER_FIELDS)
        if loaded.sources[key_of(loaded.config, name)] != "default"
    ]


def value_of(config: Config, name: str) -> str:
    """Return a field's value as text."""
    if name == "environment.observation_type":  # auto means one of the others
        return "pixels" if config.observes_pixels else "state"
    section, field = name.split(".")
    value = getattr(getattr(config, section), field)
    if name == "ppo.observation_scaling" and value == "auto":
        return "none" if config.run.agent == "TD3" else "bounds"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def key_of(config: Config, name: str) -> str:
    """Return the key of a recipe that sets a field."""
    section, field = name.split(".")
    alias = type(getattr(config, section)).model_fields[field].alias
    return alias or field


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [("key", "wanted", "found in the checkpoint"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
