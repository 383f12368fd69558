"""A policy of PPO that was exported, at play."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from agents.networks.actor_critic import PolicyOutput
from agents.networks.distributions import Categorical, DiagonalGaussian
from agents.networks.recurrent_actor_critic import PolicyInput, Sequences
from configs.errors import CheckpointError
from configs.schema import Config
from training.building.stacking import stack_size
from training.exporting.form import CPU, PROGRAM
from training.playing.player import Judge, Player
from workers.environments.base import EnvironmentSpec


@dataclass(frozen=True)
class ExportedPolicy:
    """What a folder holds.

    Attributes:
        folder: where it lies.
        config: of the run that trained it.
        spec: the environment.
        judge: the policy, on the CPU, in the precision that it was trained in; None where it is a
            model of the user's, whose code no export holds: its graph is there.
        memory_size: numbers that it remembers; 0 without a memory.
    """

    folder: Path
    config: Config
    spec: EnvironmentSpec
    judge: Judge | None
    memory_size: int

    def player(self, seed: int, *, greedy: bool = False, judge: Judge | None = None) -> Player:
        """Return the policy at play, or another form of it; `seed` is that of sampled actions.

        Raises:
            CheckpointError: there is no other form, and the policy's own is a model of the user's.
        """
        judge = judge or self.judge
        if judge is None:
            raise CheckpointError(
                f"the policy is CustomModel = {self.config.ppo.custom_model}, code which no export "
                "holds; play its graph: python -m examples.play_graph FOLDER"
            )
        return Player(
            judge,
            self.spec,
            stack_size(self.config, self.spec),
            CPU,
            seed,
            greedy=greedy,
            memory_size=self.memory_size,
        )

    def graph_player(self, seed: int, *, greedy: bool = False) -> Player:
        """Return its graph at play, in float32; only your own, see `load_program`."""
        return self.player(seed, greedy=greedy, judge=load_program(self.folder))


def load_program(folder: Path) -> Judge:
    """Read the .pt2 form of a policy. Only your own: torch unpickles what such a file asks for."""
    run = torch.export.load(folder / PROGRAM).module()

    def judge(inputs: PolicyInput) -> PolicyOutput:
        memory = None
        if isinstance(inputs, Sequences):  # of one step
            kept = inputs.memory * ~inputs.starts[0].unsqueeze(1)
            *of_actions, extrinsic, intrinsic, memory = run(inputs.observations, kept)
        else:
            *of_actions, extrinsic, intrinsic = run(inputs)
        if len(of_actions) == 1:
            return PolicyOutput(Categorical(of_actions[0]), extrinsic, intrinsic, memory)
        mean, log_std, *_ = of_actions  # environments make an action of what is sampled
        return PolicyOutput(DiagonalGaussian(mean, log_std), extrinsic, intrinsic, memory)

    return judge


def judge_of(policy: nn.Module, config: Config) -> Judge:
    """Return a policy in the precision that it was trained in."""
    half = config.run.precision == "bfloat16"

    def judge(inputs: PolicyInput) -> PolicyOutput:
        with torch.autocast(CPU.type, torch.bfloat16, enabled=half):
            output: PolicyOutput = policy(inputs)
        return output

    return judge
