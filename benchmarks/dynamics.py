"""What models of sequences cost: training on windows, and steps of a dream.

    python -m benchmarks.dynamics --repeats 5

Latents of 32 numbers and actions of 3 are made up and lie in memory; they are drawn anew from their
deviations for each batch. Arms live in one run and take turns, so that a busy machine slows all.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import torch

from agents.dynamics.dynamics import Dynamics
from agents.dynamics.registry import dynamics_named
from agents.encoders.objective import DataShapes, Samples
from agents.steps.adam import FusedAdam
from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread

LATENTS, ACTIONS, STEPS, SEED = 32, 3, 32, 0
TRAINED = (("mdn_rnn", 32), ("mdn_rnn", 100), ("mdn_rnn", 256), ("causal_transformer", 32))
DREAMT = (("mdn_rnn", 1), ("mdn_rnn", 64), ("causal_transformer", 1), ("causal_transformer", 64))

Work = Callable[[], object]


def make(kind: str) -> Dynamics:
    """Return a model with the sizes of its paper."""
    shapes = DataShapes(None, 0, action_size=ACTIONS, vector_size=LATENTS)
    return dynamics_named(kind).create(shapes, steps=STEPS, sample_observations=True)


def windows(count: int) -> Samples:
    """Return windows that are made up."""
    path, deviations = torch.randn(2, count, STEPS + 1, LATENTS)
    return Samples(
        observations=path[:, :-1],
        next_observations=path[:, 1:],
        deviations=deviations[:, :-1].abs(),
        next_deviations=deviations[:, 1:].abs(),
        actions=torch.rand(count, STEPS, ACTIONS),
        rewards=torch.randn(count, STEPS),
        terminations=torch.zeros(count, STEPS, dtype=torch.bool),
        mask=torch.ones(count, STEPS, dtype=torch.bool),
    )


def training(kind: str, batch_size: int) -> Work:
    """Return what learns from one batch."""
    model, samples = make(kind), windows(batch_size)
    model.fit(samples)
    optimizer = FusedAdam([{"params": list(model.parameters()), "lr": 1e-3}], eps=1e-8)
    generator = torch.Generator().manual_seed(SEED)

    def step() -> None:
        losses = model(samples, generator)
        model.zero_grad(set_to_none=True)
        losses.total.backward()
        optimizer.step()

    return step


def dreaming(kind: str, num_dreams: int) -> Work:
    """Return what dreams the length of a window, its memory kept from call to call."""
    model, generator = make(kind).eval(), torch.Generator().manual_seed(SEED)
    state, latents = model.initial_state(num_dreams), torch.zeros(num_dreams, LATENTS)
    actions = torch.rand(num_dreams, ACTIONS)

    @torch.no_grad()
    def dream() -> None:
        nonlocal state, latents
        for _ in range(STEPS):
            prediction, state = model.step(latents, actions, state)
            latents = model.sample(prediction, generator)

    return dream


def table(title: str, arms: dict[str, tuple[Work, int]], repeats: int, calls: int) -> str:
    """Return steps per CPU-second of each arm, turn by turn; the first turn does not count."""
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for repeat in range(-1, repeats):
        for name, (work, size) in arms.items():
            began = time.process_time()
            for _ in range(calls):
                work()
            if repeat >= 0:
                rates[name].append(calls * size * STEPS / (time.process_time() - began))
    rows = [f"| {name} | {spread(own)} |" for name, own in rates.items()]
    return "\n".join([f"| {title} | steps per CPU-second |", "|---|---|", *rows])


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dynamics",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns of each arm (%(default)s)")
    parser.add_argument("--calls", type=int, default=4, help="of a turn (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (%(default)s)")
    add_log_flag(parser)
    options = parser.parse_args(argv)
    if min(options.repeats, options.calls, options.threads) < 1:
        parser.error("--repeats, --calls and --threads must be at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and add to the log; return the exit code."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    trained = {f"{k}, {n} windows of {STEPS}": (training(k, n), n) for k, n in TRAINED}
    dreamt = {f"{kind}, {n} at once": (dreaming(kind, n), n) for kind, n in DREAMT}
    with recording("dynamics", options, ("torch",)) as record:
        record.say(table("training", trained, options.repeats, options.calls))
        record.say(table("dreaming", dreamt, options.repeats, options.calls))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
