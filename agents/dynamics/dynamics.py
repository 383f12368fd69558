"""What a model of sequences is: latents and actions in, what comes next out.

Ha and Schmidhuber 2018, "World Models", arXiv 1803.10122, section 2.2. Axes: B sequences, T steps,
D numbers of a latent, A of an action, K components of a mixture, H numbers of what is remembered.
"""

from abc import abstractmethod
from dataclasses import asdict
from typing import Any, Self

import torch
from torch import Tensor, nn

from agents.dynamics.judging import judged
from agents.dynamics.latents import LatentEncoder
from agents.dynamics.prediction import STEPS, Prediction, SequenceTask, State
from agents.dynamics.windows import Window, change_statistics, reward_statistics, window_of
from agents.encoders.objective import DataShapes, Losses, Needs, Objective, Samples
from agents.encoders.preprocessing import VectorPreprocessing
from agents.encoders.transition import embedded
from agents.losses.global_sum import global_masked_mean
from agents.losses.mixture_density import mixture_log_likelihood, mixture_mean, mixture_sample
from agents.losses.step_outcomes import ending_error, reward_error
from agents.networks.mixture_head import MixtureHead


class Dynamics(Objective):
    """Learns p(z', r, d | z, a, what was before) from windows of episodes.

        L = 1/(N D) Σ -log p(z') + 1/N Σ ((r̂ - r) / s)² + 1/N Σ cross-entropy of d

    over the N steps of all windows and ranks. Every window begins without memory.

    Args:
        encoder: of latents; holds their mean and deviation.
        task: what is learnt.
        feature_size: H.
        num_components: K of a mixture; 1 is a plain Gaussian.
        settings: what else it was made with.

    Raises:
        ValueError: windows of less than two steps.

    Attributes:
        task: what is learnt.
        feature_size: H.
        starts: [S, D], first latents of episodes, in the dataset's units.
    """

    encoder: LatentEncoder
    change_mean: Tensor
    change_deviation: Tensor
    reward_mean: Tensor
    reward_deviation: Tensor
    starts: Tensor

    def __init__(
        self,
        encoder: LatentEncoder,
        task: SequenceTask,
        *,
        feature_size: int,
        num_components: int,
        settings: dict[str, Any],
    ) -> None:
        if task.steps < 2:
            raise ValueError(f"windows of {task.steps} step(s) hold no sequence; choose 2 or more")
        sizes = {"feature_size": feature_size, "num_components": num_components}
        super().__init__(encoder, {"task": asdict(task), "network": sizes | settings})
        self.task = task
        self.feature_size = feature_size
        latent_size = encoder.feature_size
        self.head = MixtureHead(feature_size, latent_size, num_components)
        self.register_buffer("change_mean", torch.zeros(latent_size))
        self.register_buffer("change_deviation", torch.ones(latent_size))
        self.register_buffer("reward_mean", torch.zeros(()))
        self.register_buffer("reward_deviation", torch.ones(()))
        self.register_buffer("starts", torch.zeros(task.num_starts, latent_size))

    @classmethod
    def create(
        cls,
        shapes: DataShapes,
        *,
        steps: int = STEPS,
        sample_observations: bool = False,
        difference_targets: bool = False,
        starts: Tensor | None = None,
    ) -> Self:
        """Build it for a dataset's latents, with the sizes of its paper.

        Args:
            shapes: of the dataset.
            steps, sample_observations, difference_targets: as in SequenceTask.
            starts: [S, D], first latents of episodes that are kept with the model.

        Raises:
            ValueError: the dataset holds frames, or no actions.
        """
        if not shapes.vector_size or not shapes.action_size:
            raise ValueError(
                f"{cls.kind} learns from latents or other vectors with actions, and the dataset "
                "holds none; encode it first"
            )
        task = SequenceTask(
            shapes.action_size,
            shapes.discrete_actions,
            steps=steps,
            sample_observations=sample_observations,
            difference_targets=difference_targets,
            num_starts=0 if starts is None else len(starts),
        )
        kind: Any = cls  # whose constructors have defaults for their network's sizes
        made: Self = kind(LatentEncoder(VectorPreprocessing(shapes.vector_size)), task)
        if starts is not None:
            made.starts.copy_(starts)
        return made

    @property
    def needs(self) -> Needs:
        """Windows with latents, actions, rewards and ends; deviations where latents are drawn."""
        fields = ("observations", "next_observations", "actions", "rewards", "terminations", "mask")
        drawn = ("deviations", "next_deviations") if self.task.sample_observations else ()
        return Needs(fields + drawn, self.task.steps)

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """Return what is remembered before the first step."""

    @abstractmethod
    def remember(self, inputs: Tensor, state: State) -> State:
        """Return what is remembered after a step with inputs [B, D + A]."""

    @abstractmethod
    def run(self, inputs: Tensor) -> tuple[Tensor, State]:
        """Return what is known after each step [B, T, H] of inputs [B, T, D + A], and the end."""

    @abstractmethod
    def hidden(self, state: State) -> Tensor:
        """Return h [B, H], what a controller sees of the state: all that is known of the past."""

    def restart(self, state: State, starts: Tensor) -> State:
        """Return the state with rows where an episode starts, [B] bool, laid back."""
        return tuple(
            torch.where(starts.view(-1, *[1] * (now.dim() - 1)), first, now)
            for now, first in zip(state, self.initial_state(len(starts)), strict=True)
        )

    def step(self, latent: Tensor, action: Tensor, state: State) -> tuple[Prediction, State]:
        """Take a step; return what will follow, and what is remembered.

        Args:
            latent: [B, D], in the dataset's units.
            action: [B, A], or choices [B].
            state: of `initial_state`, or of the step before.

        Raises:
            UnexpectedObservationError: latents of another form.
        """
        return self.advance(self.encoder.preprocessing(latent), self.embed(action), state)

    def advance(self, latent: Tensor, action: Tensor, state: State) -> tuple[Prediction, State]:
        """Take a step as `step` does, with a standardised latent and an embedded action."""
        state = self.remember(torch.cat([latent, action], dim=-1), state)
        return self.predict(self.hidden(state), latent), state

    def embed(self, action: Tensor) -> Tensor:
        """Return actions [..., A] as float32, choices [...] as one-hot vectors [..., A]."""
        return embedded(action, self.task.action_size, discrete=self.task.discrete_actions)

    def predict(self, hidden: Tensor, latent: Tensor) -> Prediction:
        """Return what follows, of what is known [..., H] and standardised latents [..., D]."""
        found = Prediction(*self.head(hidden))
        means, log_deviations = found.means, found.log_deviations
        if self.task.difference_targets:
            scale = self.change_deviation.unsqueeze(-1)
            means = (latent + self.change_mean).unsqueeze(-1) + scale * means
            log_deviations = log_deviations + scale.log()
        rewards = self.reward_mean + self.reward_deviation * found.rewards
        return found._replace(means=means, log_deviations=log_deviations, rewards=rewards)

    @torch.no_grad()
    def sample(
        self, prediction: Prediction, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """Draw next latents [..., D] in the dataset's units.

        Args:
            prediction: of `step`.
            generator: lives where the prediction does.
            temperature: 1 draws from the mixture, more makes what comes less certain, 0 takes the
                mean of the likeliest component.

        Raises:
            ValueError: a negative temperature.
        """
        if temperature < 0:
            raise ValueError(f"a temperature of {temperature:g}: choose 0 or more")
        means = prediction.means
        uniform = torch.rand(means.shape, generator=generator, device=means.device)
        noise = self._noise(means[..., 0], generator)
        return self._restored(
            mixture_sample(*prediction[:3], uniform=uniform, noise=noise, temperature=temperature)
        )

    def expected(self, prediction: Prediction) -> Tensor:
        """Return the expectation of the next latents [..., D] in the dataset's units."""
        return self._restored(mixture_mean(*prediction[:2]))

    @torch.no_grad()
    def fit(self, samples: Samples) -> None:
        """Take mean and deviation of latents, of their changes and of rewards, from windows.

        Where latents are drawn, they are drawn here too, from a stream of its own: a dimension that
        an encoder is never sure of would look as if it did not vary.
        """
        generator = torch.Generator(self.change_mean.device).manual_seed(0)
        raw = self._scaled(samples, generator, nn.Identity())
        self.encoder.preprocessing.fit(raw.latents[raw.mask])
        window = self.window(samples, generator)
        for name, values in (change_statistics(window) | reward_statistics(window)).items():
            self.get_buffer(name).copy_(values)

    def foreseen(self, window: Window) -> Prediction:
        """Return what is said of each step of windows, [B, T, ...]."""
        hidden, _ = self.run(torch.cat([window.latents, window.actions], dim=-1))
        return self.predict(hidden, window.latents)

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the loss and its three terms; latents are drawn if that was asked for."""
        window = self.window(samples, generator)
        found = self.foreseen(window)
        likelihood = mixture_log_likelihood(*found[:3], window.targets).mean(dim=-1)
        errors = {
            "latent": -likelihood,
            "reward": reward_error(found.rewards, window.rewards, self.reward_deviation),
            "termination": ending_error(found.end_logits, window.terminations),
        }
        means = {name: global_masked_mean(error, window.mask) for name, error in errors.items()}
        total = torch.stack(list(means.values())).sum()
        return Losses(total, {name: mean.detach() for name, mean in means.items()})

    @torch.no_grad()
    def diagnose(self, samples: Samples) -> dict[str, Tensor]:
        """Return likelihood and open-loop errors, beside those of predictions that know nothing.

        Nothing of the representation: its latents were learnt by another.
        """
        generator = torch.Generator(self.change_mean.device).manual_seed(0)
        window = self.window(samples, generator)
        return judged(self, window)

    def window(self, samples: Samples, generator: torch.Generator) -> Window:
        """Return windows as `foreseen` takes them; latents are drawn if that was asked for."""
        return self._scaled(samples, generator, self.encoder.preprocessing)

    def _scaled(self, samples: Samples, generator: torch.Generator, scaling: nn.Module) -> Window:
        def noise(like: Tensor) -> Tensor:
            return self._noise(like, generator)

        drawing = noise if self.task.sample_observations else None
        return window_of(samples, scaling=scaling, embed=self.embed, noise=drawing)

    def _noise(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return torch.randn(like.shape, generator=generator, device=like.device)

    def _restored(self, latents: Tensor) -> Tensor:
        preprocessing = self.encoder.preprocessing
        assert isinstance(preprocessing, VectorPreprocessing)
        return preprocessing.restored(latents)
