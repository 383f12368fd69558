"""A replay buffer of frames: each is kept once, uint8, and stacks are made when they are drawn.

Each environment has a ring of slots. A slot holds a frame and the step that was taken from it; the
last frame of an episode has a slot of its own, and no step. So what follows a step always lies in
the next slot, and never belongs to another episode.
"""

import torch
from torch import Tensor

from agents.replay.replay import Batch, Step

PARTS = ("frames", "actions", "rewards", "continues", "has_step", "older")  # [N, slots, ...]


class FrameReplay:
    """Frames [C, H, W] of N environments, drawn as stacks of the last S.

    At the start of an episode its first frame is repeated, as in FrameStack. Memory that was never
    written is not taken from the machine.

    Args:
        capacity: steps; the last frames of episodes take some of its room.
        num_envs: N.
        frame_shape: C, H, W.
        stack_size: S.
        num_actions: A.
        device: where all of it lies.

    Attributes:
        num_added: env steps that were ever added.
        capacity: steps that it holds at most.
    """

    def __init__(
        self,
        capacity: int,
        num_envs: int,
        frame_shape: tuple[int, ...],
        stack_size: int,
        num_actions: int,
        device: torch.device,
    ) -> None:
        self.capacity = capacity
        self.num_added = 0
        self._stack_size = stack_size
        # Beside the steps: what the newest one led to, and the stack of the oldest one.
        slots = (num_envs, capacity // num_envs + stack_size + 1)
        self._frames = torch.empty(*slots, *frame_shape, dtype=torch.uint8, device=device)
        self._actions = torch.zeros(*slots, num_actions, device=device)
        self._rewards = torch.zeros(slots, device=device)
        self._continues = torch.zeros(slots, device=device)
        self._has_step = torch.zeros(slots, dtype=torch.bool, device=device)
        # Frames of the same episode before a slot's, at most S - 1: those of its stack.
        self._older = torch.zeros(slots, dtype=torch.int64, device=device)
        self._written = torch.zeros(num_envs, dtype=torch.int64, device=device)

    @property
    def num_slots(self) -> int:
        """L, the slots of an environment."""
        return self._frames.shape[1]

    def start(self, observations: Tensor) -> None:
        """Take the first frames [N, C, H, W] of fresh episodes."""
        everyone = torch.arange(len(observations), device=self._frames.device)
        self._write(everyone, observations, torch.zeros_like(everyone))

    def add(self, step: Step) -> None:
        """Remember a step of all that took it; `observations` are those that came last."""
        device = self._frames.device
        everyone = torch.arange(len(step.actions), device=device)
        newest = (self._written - 1) % self.num_slots
        self._actions[everyone, newest] = step.actions.to(device)
        self._rewards[everyone, newest] = step.rewards.to(device)
        self._continues[everyone, newest] = (~step.terminated).float().to(device)
        lived = step.lived(is_first=self.num_added == 0)
        self._has_step[everyone, newest] = lived.to(device)
        older = (self._older[everyone, newest] + 1).clamp(max=self._stack_size - 1)
        self._write(everyone, step.next_observations, older)
        ended = (step.terminated | step.truncated).to(device).nonzero().flatten()
        if len(ended):
            self._write(ended, step.new_observations[ended.cpu()], torch.zeros_like(ended))
        self.num_added += int(lived.sum())

    def sample(self, num_batches: int, batch_size: int, stream: torch.Generator) -> list[Batch]:
        """Draw batches of steps, each step as likely as any other, with replacement."""
        envs, slots = self._draw(num_batches * batch_size, stream)
        parts = zip(envs.split(batch_size), slots.split(batch_size), strict=True)
        return [self._batch(env, slot) for env, slot in parts]

    def state(self) -> dict[str, Tensor]:
        """Return all that it holds; where it is not full, copies of what was written."""
        filled = self._filled
        parts = {name: getattr(self, f"_{name}") for name in PARTS}
        if filled < self.num_slots:  # a file of a part would be one of all the memory around it
            parts = {name: part[:, :filled].clone() for name, part in parts.items()}
        return {
            **parts,
            "written": self._written,
            "num_slots": torch.tensor(self.num_slots),
            "num_added": torch.tensor(self.num_added),
        }

    def restore(self, state: dict[str, Tensor]) -> bool:
        """Hold what `state` returned, if it has as many environments and slots.

        Raises:
            ValueError: it is of other frames.
        """
        found, wanted = state["frames"].shape[2:], self._frames.shape[2:]
        if found != wanted:
            raise ValueError(f"the replay holds frames {list(found)}, not {list(wanted)}")
        slots = (len(state["written"]), int(state["num_slots"]))
        if slots != (len(self._written), self.num_slots):
            return False
        filled = state["frames"].shape[1]
        for name in PARTS:
            getattr(self, f"_{name}")[:, :filled] = state[name].to(self._frames.device)
        self._written.copy_(state["written"])
        self.num_added = int(state["num_added"])
        return True

    @property
    def _filled(self) -> int:
        """The slots that were ever written, of the environment that has most."""
        return min(int(self._written.max()), self.num_slots)

    def _write(self, envs: Tensor, frames: Tensor, older: Tensor) -> None:
        """Lay a frame each into the next slot of some environments."""
        slots = self._written[envs] % self.num_slots
        self._frames[envs, slots] = frames.to(self._frames.device)
        self._has_step[envs, slots] = False
        self._older[envs, slots] = older
        self._written[envs] += 1

    def _draw(self, count: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return environments and slots [count] of steps whose whole stack is still there."""
        filled, device = self._filled, self._frames.device
        found: list[Tensor] = []
        missing = count
        while missing:
            places = torch.randint(
                len(self._written) * filled, (missing,), generator=stream, device=device
            )
            envs, slots = places // filled, places % filled
            # How many frames were written since; the oldest of the stack must still be there.
            age = (self._written[envs] - 1 - slots) % self.num_slots
            whole = age + self._older[envs, slots] < self.num_slots
            kept = places[self._has_step[envs, slots] & whole]
            found.append(kept)
            missing -= len(kept)
        drawn = torch.cat(found)
        return drawn // filled, drawn % filled

    def _batch(self, envs: Tensor, slots: Tensor) -> Batch:
        B, S = len(envs), self._stack_size
        back = torch.arange(S - 1, -1, -1, device=envs.device).expand(B, S)
        back = torch.minimum(back, self._older[envs, slots].unsqueeze(1))
        stack = slots.unsqueeze(1) - back
        window = torch.cat([stack, slots.unsqueeze(1) + 1], dim=1) % self.num_slots
        frames = self._frames[envs.unsqueeze(1), window]
        return Batch(
            frames[:, :S].flatten(1, 2),
            self._actions[envs, slots],
            self._rewards[envs, slots],
            self._continues[envs, slots],
            frames[:, 1:].flatten(1, 2),
        )
