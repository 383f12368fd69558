"""A dream as an environment: latents are what is observed; reward and end are the model's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.errors import CheckpointError
from training.checkpoints.storage import pack, unpack
from training.dreaming.dream import Dream, Moment
from workers.environments.base import Batch, BatchStep, Environment, EnvironmentSpec, Observation
from workers.environments.parts.actions import in_units


class DreamEnvironment(Environment):
    """One dream.

    Its random stream is its own, seeded by `reset`: it draws where a dream begins and how it goes
    on. A snapshot holds the digest of the model, and another model refuses it.

    Args:
        dream: the same object for all dreams of a pool.
        spec: what an agent must know of it; episodes are truncated at its limit.
        digest: of the model.
    """

    def __init__(self, dream: Dream, spec: EnvironmentSpec, digest: str) -> None:
        self.environment_spec = spec
        self.dream = dream
        self.generator = torch.Generator()
        self.moment = Moment(torch.zeros(1, *spec.observation_shape), ())
        self.length = 0
        self._digest = digest

    @property
    def longest(self) -> int:
        """Steps after which an episode is truncated."""
        assert self.environment_spec.max_episode_steps is not None  # see opening.py
        return self.environment_spec.max_episode_steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a dream; without a seed the stream goes on."""
        del options
        if seed is not None:
            self.generator.manual_seed(seed)
        self.moment, self.length = self.dream.begin(self.generator), 0
        return _array(self.moment.latents)[0], {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Dream on, under a choice (int) or a policy's output (float32 [A])."""
        batch = DreamBatch([self])
        batch.load(0)
        kind = np.int64 if self.environment_spec.discrete else np.float32
        observations, rewards, terminated, truncated = batch.step(np.asarray([action], kind))
        batch.store()
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), {}

    def together(self, environments: Sequence[Environment]) -> Batch | None:
        """Return what dreams all of them at once, equal to one by one but for rounding."""
        return DreamBatch([each for each in environments if isinstance(each, DreamEnvironment)])

    def snapshot(self) -> bytes:
        """Return the dream and its stream."""
        return pack(
            {
                "digest": self._digest,
                "latents": self.moment.latents,
                "state": list(self.moment.state),
                "length": self.length,
                "generator": self.generator.get_state(),
            }
        )

    def restore(self, snapshot: bytes) -> None:
        """Dream on from a snapshot.

        Raises:
            CheckpointError: it is of another model.
        """
        found = unpack(snapshot)
        if found["digest"] != self._digest:
            raise CheckpointError(
                f"the run dreamt in model {str(found['digest'])[:12]}, and "
                f"{self.environment_spec.env_id} is model {self._digest[:12]} now"
            )
        self.moment = Moment(found["latents"], tuple(found["state"]))
        self.length = found["length"]
        self.generator.set_state(found["generator"])


class DreamBatch:
    """Dreams of one model that are stepped at once.

    Args:
        environments: n of them; each keeps its stream.
    """

    def __init__(self, environments: Sequence[DreamEnvironment]) -> None:
        self._environments = environments
        self._dream = environments[0].dream
        self._spec = environments[0].environment_spec
        n = len(environments)
        empty = self._dream.model.initial_state(n)
        self._moment = Moment(
            torch.zeros(n, *self._spec.observation_shape),
            tuple(part.clone() for part in empty),  # rows are written; two parts may be one tensor
        )
        self._lengths = np.zeros(n, np.int64)

    def load(self, index: int) -> None:
        """Go on from where an environment is."""
        own = self._environments[index].moment
        self._moment.latents[index] = own.latents[0]
        for rows, row in zip(self._moment.state, own.state, strict=True):
            rows[index] = row[0]
        self._lengths[index] = self._environments[index].length

    def step(self, actions: NDArray[Any]) -> BatchStep:
        """Step all, by choices int64 [n] or a policy's outputs float32 [n, A]."""
        acted = torch.from_numpy(np.ascontiguousarray(in_units(self._spec, actions)))
        streams = [each.generator for each in self._environments]
        self._moment, rewards, ended = self._dream.step(self._moment, acted, streams)
        self._lengths += 1
        terminated = ended.numpy()
        truncated = (self._lengths >= self._environments[0].longest) & ~terminated
        observations = _array(self._moment.latents)
        return BatchStep(observations, rewards.double().numpy(), terminated, truncated)

    def store(self) -> None:
        """Bring the environments to where their dreams are."""
        for index, each in enumerate(self._environments):
            here = slice(index, index + 1)
            each.moment = Moment(
                self._moment.latents[here].clone(),
                tuple(part[here].clone() for part in self._moment.state),
            )
            each.length = int(self._lengths[index])


def _array(latents: torch.Tensor) -> NDArray[np.float32]:
    """Return a copy: what is handed out is not what the dream goes on from."""
    found: NDArray[np.float32] = latents.numpy().copy()
    return found
