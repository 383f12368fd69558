"""[Run]: what learns, how long, how often, how fast."""

from typing import Annotated, Literal

from pydantic import Field

from configs.sections.section import Section
from configs.sections.values import MOST, MOST_SECONDS, MOST_STEPS, MOST_THREADS, Auto


class RunSection(Section):
    """What learns, how long, how often, how fast, and when to give up."""

    agent: Literal["PPO", "CMA-ES", "TD3"] = Field(
        "PPO",
        alias="Agent",
        description="what learns: PPO = a policy by gradients, with any bonus and any head; "
        "CMA-ES = a small controller by evolution; TD3 = a deterministic policy from a replay "
        "buffer",
    )
    total_env_steps: int = Field(
        491_520_000,
        alias="TotalEnvSteps",
        ge=1,
        le=MOST_STEPS,
        description="env steps of all ranks until the run ends (frames = env steps x FrameSkip); "
        "the update that reaches them is finished",
    )
    num_envs: int = Field(
        32,
        alias="NumEnv",
        ge=1,
        le=MOST,
        description="environments of each agent process; --num_env_per_process wins over it",
    )
    seed: int = Field(
        1, alias="Seed", ge=0, lt=2**31, description="the run's seed; every stream derives from it"
    )
    load_model: bool = Field(
        False, alias="loadModel", description="continue from --load_model_path"
    )
    checkpoint_every: int = Field(
        100,
        alias="saveCkptEvery",
        ge=1,
        le=MOST_STEPS,
        description="updates between two checkpoints",
    )
    log_every: Auto | Annotated[int, Field(ge=1, le=MOST_STEPS)] = Field(
        1,
        alias="LogEvery",
        description="updates between two log rows; auto: about 2,048 env steps, where updates are "
        "shorter",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        alias="Precision",
        description="arithmetic of the networks; weights and statistics stay float32 or wider; "
        "auto = bfloat16 for pixels on hardware that multiplies it, on the CPU with one thread "
        "(LearnerThreads = 1, or auto and at most 2 cores a rank), else float32",
    )
    environment_groups: Auto | Annotated[int, Field(ge=1, le=2)] = Field(
        "auto",
        alias="EnvironmentGroups",
        description="2 = act on one half while the other half steps; auto = 2 with a GPU, else 1",
    )
    overlap_collection: bool = Field(
        False,
        alias="OverlapCollection",
        description="collect the next rollout while the agent learns from this one, with a policy "
        "that is one update old; a stop then waits for the end of the update, and a checkpoint "
        "holds a rollout",
    )
    worker_backend: Literal["auto", "processes", "in_process", "ale_vector"] = Field(
        "auto",
        alias="WorkerBackend",
        description="what steps the environments; the results are the same: processes = worker "
        "processes, watched and replaced, always with --num_workers; in_process = the rank itself, "
        "which ends with an environment that fails; auto = in_process for classic_control, "
        "sprites and minigrid where a step takes up to 100 microseconds, else processes; "
        "ale_vector = threads of ale-py within the rank, without rooms, exact resumption or "
        "replacement (atari; evaluation then uses processes)",
    )
    learner_threads: Auto | Annotated[int, Field(ge=1, le=MOST_THREADS)] = Field(
        "auto",
        alias="LearnerThreads",
        description="torch threads of a rank on the CPU; auto = 1 for agents on state vectors "
        "and in bfloat16, this rank's share of the cores otherwise",
    )
    max_worker_restarts: int = Field(
        100,
        alias="MaxWorkerRestarts",
        ge=0,
        le=MOST_STEPS,
        description="lost workers a rank replaces, in all",
    )
    step_timeout: float = Field(
        60.0,
        alias="WorkerStepTimeout",
        gt=0,
        le=MOST_SECONDS,
        description="seconds a step may take",
    )
    reset_timeout: float = Field(
        120.0,
        alias="WorkerResetTimeout",
        gt=0,
        le=MOST_SECONDS,
        description="seconds that building one environment, restoring one where a run is resumed, "
        "or resetting a worker's may take",
    )
    collective_timeout: float = Field(
        240.0,
        alias="CollectiveTimeout",
        gt=0,
        le=MOST_SECONDS,
        description="seconds to wait for a peer in training, and for a step of a rank's own until "
        "it counts as hung; longer than WorkerStepTimeout + WorkerResetTimeout, so that a peer "
        "that replaces a hung worker is waited for",
    )
    start_timeout: float = Field(
        600.0,
        alias="StartTimeout",
        gt=0,
        le=MOST_SECONDS,
        description="seconds to wait for all peers at start, and until a rank's first step",
    )
    verbose_logging: bool = Field(
        False, alias="verbose_logging", description="log every episode's end and debug messages"
    )
