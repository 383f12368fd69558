"""Fresh episodes of the environment that a model's dataset came from."""

from collections.abc import Sequence

from pydantic import ValidationError

from configs.errors import CheckpointError, ConfigurationError
from configs.loading import LoadedConfig
from configs.reading import printable
from configs.schema import Config, EnvironmentSection
from training.building.seeding import stream_seed
from training.checkpoints.dynamics import TrainedDynamics
from training.checkpoints.encoder import TrainedEncoder
from training.collecting.choosing import BUILT_IN
from training.collecting.playing import play_numbers
from training.collecting.policies import MakePolicy
from training.live.stages import Stages
from training.offline.datasets import same_environment
from training.recording.describing import episode_of, schema_from_spec
from training.recording.recorder import Lived
from trajectories.episode import Episode
from workers.environments.base import EnvironmentSpec
from workers.opening import Sizes, open_pool


def play_fresh(
    config: Config, policy: MakePolicy, episodes: int, stages: Stages, background: str | None
) -> tuple[list[Episode], EnvironmentSpec]:
    """Play episodes of seeds that no collection has; return them as stored, and the environment's
    spec.

    Args:
        config: of the environment and of the run's seed.
        policy: makes who acts.
        episodes: how many.
        stages: told how far it is.
        background: what is taken off the frames, or None (`--background` of collecting).

    Raises:
        ConfigurationError: the policy does not fit, or episodes may never end.
    """
    seed = stream_seed(config.run.seed, "fresh episodes")
    sizes = Sizes(
        num_environments=1,
        num_groups=1,
        base_seed=seed,
        first_index=0,
        num_workers=None,
        cores=1,
        made_alike=True,
    )
    found: list[Episode] = []
    with open_pool(config, sizes, with_states=True) as pool:
        spec = pool.spec
        if spec.max_episode_steps is None:
            raise ConfigurationError(
                f"the episodes of {spec.env_id} have no limit: --set MaxStepPerEpisode=N"
            )
        schema = schema_from_spec(spec, background)

        def take(number: int, lived: Lived) -> None:
            found.append(episode_of(lived, schema, background, {"id": f"fresh-{number}"}))
            stages.begin(f"episode {number + 1}, {len(lived.observations):,} frames")

        play_numbers(pool, [policy(spec)], range(episodes), seed, take, lambda _: True)
    return found, spec


def own_config(
    trained: TrainedEncoder | TrainedDynamics, wanted: str | None, loaded: LoadedConfig
) -> Config:
    """Return the configuration with the environment that a model's dataset came from.

    Raises:
        CheckpointError: it is another one than is wanted, or the dataset does not say how it is
            made.
    """
    path = trained.path
    if wanted is not None and not same_environment(wanted, trained.environment_id):
        raise CheckpointError(
            f"--environment {printable(wanted)}: {path} was trained on {trained.environment_id}; "
            "name that, or leave it out"
        )
    try:
        section = EnvironmentSection.model_validate(dict(trained.environment))
        if "EnvID" not in trained.environment:
            raise ValueError("EnvID")
    except (ValidationError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its dataset does not say how its environment is made, so it cannot be played "
            "afresh; train a model on rollouts of --collect"
        ) from error
    return loaded.config.model_copy(update={"environment": section})


def own_policy(trained: TrainedEncoder | TrainedDynamics, wanted: str | None) -> str:
    """Return the policy that acts: the one that is wanted, else the dataset's, else random.

    Raises:
        ConfigurationError: it is none that plays here.
    """
    names: Sequence[str] = tuple(BUILT_IN)
    if wanted is None:
        used = str(trained.dataset.get("policy", ""))
        return used if used in names else "random"
    if wanted not in names:
        raise ConfigurationError(
            f"--policy {printable(wanted)}: --visualise plays with {' or '.join(names)}"
        )
    return wanted
