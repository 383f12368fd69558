"""[TD3]: Agent = TD3."""

from typing import Literal

from pydantic import Field

from configs.sections.section import Section
from configs.sections.values import MOST, MOST_STEPS, FolderPath, IntTuple


class TD3Section(Section):
    """A deterministic policy from a replay buffer (Fujimoto et al. 2018, arXiv 1802.09477)."""

    actor_hidden_sizes: IntTuple = Field(
        (400, 300), alias="ActorHiddenSizes", min_length=1, description="layers of the actor"
    )
    critic_hidden_sizes: IntTuple = Field(
        (400, 300),
        alias="CriticHiddenSizes",
        min_length=1,
        description="layers of each of the two critics",
    )
    actor_learning_rate: float = Field(
        1e-3, alias="ActorLearningRate", gt=0, le=1, description="Adam's step size of the actor"
    )
    critic_learning_rate: float = Field(
        1e-3, alias="CriticLearningRate", gt=0, le=1, description="Adam's step size of the critics"
    )
    gamma: float = Field(0.99, alias="TD3Gamma", ge=0, le=1, description="discount")
    target_tau: float = Field(
        0.005,
        alias="TargetTau",
        gt=0,
        le=1,
        description="share by which the slow copies near the networks, whenever the actor is "
        "trained (1 - polyak)",
    )
    exploration_noise: float = Field(
        0.1,
        alias="ExplorationNoise",
        ge=0,
        le=10,
        description="deviation of the noise on actions that are played; actions reach from -1 to 1",
    )
    target_noise: float = Field(
        0.2,
        alias="TargetNoise",
        ge=0,
        le=10,
        description="deviation of the noise on the slow actor's actions, which smooths the target",
    )
    target_noise_clip: float = Field(
        0.5, alias="TargetNoiseClip", ge=0, le=10, description="that noise is cut at plus and minus"
    )
    policy_delay: int = Field(
        2,
        alias="PolicyDelay",
        ge=1,
        le=MOST,
        description="gradient steps of the critics for one of the actor and of the slow copies",
    )
    random_steps: int = Field(
        10_000,
        alias="RandomSteps",
        ge=0,
        le=MOST_STEPS,
        description="env steps of all ranks that are played at random before anything is learnt",
    )
    replay_size: int = Field(
        1_000_000,
        alias="ReplaySize",
        ge=1,
        le=10**9,
        description="env steps that each rank remembers; the oldest are forgotten",
    )
    batch_size: int = Field(
        256,
        alias="ReplayBatchSize",
        ge=1,
        le=MOST,
        description="env steps drawn for a gradient step, on each rank",
    )
    gradient_steps: float = Field(
        1.0,
        alias="GradientSteps",
        gt=0,
        le=100,
        description="gradient steps of the critics for each env step of a rank; 0.5 = one for two",
    )
    steps_per_update: int = Field(
        50,
        alias="StepsPerUpdate",
        ge=1,
        le=MOST,
        description="env steps of each environment in an update, after which a run may be saved or "
        "stopped and figures be written; it changes nothing that is learnt",
    )
    transition_model: Literal["none"] | FolderPath = Field(
        "none",
        alias="TransitionModel",
        description="what the critics see beside observation and action: none, or what follows, as "
        "the model foretells it that --train_encoder --model transition left in this folder",
    )
    transition_use: Literal["frozen", "finetune"] = Field(
        "frozen",
        alias="TransitionUse",
        description="whether the critics' loss trains that model further (finetune)",
    )

    @property
    def transition_path(self) -> str | None:
        """The folder of TransitionModel; None without one."""
        return None if self.transition_model == "none" else self.transition_model
