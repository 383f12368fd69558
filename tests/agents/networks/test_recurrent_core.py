"""GRU and LSTM along sequences equal the papers' equations, step by step, and so do gradients."""

from functools import partial

import pytest
import torch
from torch import Tensor

from agents.networks.recurrent_core import CORES, MemoryKind, RecurrentCore

L, B, D, H = 9, 4, 5, 3
BOTH = pytest.mark.parametrize("kind", list(CORES))


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


def core_of(kind: MemoryKind) -> RecurrentCore:
    """A core none of whose parameters is zero or one."""
    core = CORES[kind](D, H)
    for index, parameter in enumerate(core.parameters()):
        parameter.data = 0.7 * drawn(*parameter.shape, seed=index)
    return core


def some_starts() -> Tensor:
    starts = torch.rand(L, B, generator=torch.Generator().manual_seed(3)) < 0.3
    starts[0, 0] = True  # nothing of the memory before is left of one
    starts[:, 1] = False
    return starts


def weights_of(core: RecurrentCore, num_gates: int) -> list[tuple[Tensor, ...]]:
    """W, U, b and c, gate by gate."""
    return [part.chunk(num_gates) for part in core.layer.parameters()]


def gru_by_the_paper(core: RecurrentCore, x: Tensor, h: Tensor) -> Tensor:
    """arXiv 1406.1078, equations 5 to 8, the reset gate after the product; h is one row."""
    W, U, b, c = weights_of(core, 3)
    reset = 1 / (1 + torch.exp(-(W[0] @ x + b[0] + U[0] @ h + c[0])))
    update = 1 / (1 + torch.exp(-(W[1] @ x + b[1] + U[1] @ h + c[1])))
    candidate = torch.tanh(W[2] @ x + b[2] + reset * (U[2] @ h + c[2]))
    return (1 - update) * candidate + update * h


def lstm_by_the_paper(core: RecurrentCore, x: Tensor, memory: Tensor) -> Tensor:
    """Gers et al. 2000; output and cell side by side."""
    h, c = memory.chunk(2)
    W, U, b, d = weights_of(core, 4)
    insert, keep, new, output = (W[k] @ x + U[k] @ h + b[k] + d[k] for k in range(4))
    insert, keep, output = (1 / (1 + torch.exp(-gate)) for gate in (insert, keep, output))
    cell = keep * c + insert * torch.tanh(new)
    return torch.cat([output * torch.tanh(cell), cell])


BY_THE_PAPER = {"GRU": gru_by_the_paper, "LSTM": lstm_by_the_paper}


def slowly(
    kind: str, core: RecurrentCore, features: Tensor, memory: Tensor, starts: Tensor
) -> tuple[Tensor, Tensor]:
    """One sequence after the other, one step after the other."""
    outputs, after = [], []
    for b in range(features.shape[1]):
        row, own = memory[b], []
        for t in range(len(features)):
            row = torch.zeros_like(row) if starts[t, b] else row
            row = BY_THE_PAPER[kind](core, features[t, b], row)
            own.append(row[:H])
        outputs.append(torch.stack(own))
        after.append(row)
    return torch.stack(outputs, dim=1), torch.stack(after)


@BOTH
def test_a_sequence_is_its_steps_one_after_the_other_also_where_episodes_begin(
    kind: MemoryKind,
) -> None:
    core, features, starts = core_of(kind), drawn(L, B, D), some_starts()
    memory = drawn(B, core.memory_size, seed=1)
    wanted, after = slowly(kind, core, features, memory, starts)
    torch.testing.assert_close(core(features, memory, starts), wanted)
    row = memory
    for t in range(L):
        row = core.step(features[t], row * ~starts[t].unsqueeze(1))
        torch.testing.assert_close(row[:, :H], wanted[t])
    torch.testing.assert_close(row, after)


@BOTH
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_gradients_are_those_of_the_papers_equations(kind: MemoryKind, density: float) -> None:
    core, weights = core_of(kind), drawn(L, B, H, seed=5)
    starts = torch.rand(L, B, generator=torch.Generator().manual_seed(4)) < density
    features, memory = drawn(L, B, D).requires_grad_(), drawn(B, core.memory_size, seed=1)
    variables = (features, *core.parameters())
    outputs = slowly(kind, core, features, memory, starts)[0], core(features, memory, starts)
    wanted, found = (torch.autograd.grad((output * weights).sum(), variables) for output in outputs)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_a_gru_goes_step_by_step_where_torchs_own_layer_goes_as_a_whole() -> None:
    """The former on a CPU, the latter on a GPU; the core's equations hold for both."""
    core, starts, weights = core_of("GRU"), some_starts(), drawn(L, B, H, seed=5)
    features, memory = drawn(L, B, D).requires_grad_(), drawn(B, core.memory_size, seed=1)
    variables = (features, *core.parameters())
    ways = (core._along, partial(RecurrentCore._along, core))
    outputs = [way(features, memory, starts) for way in ways]
    torch.testing.assert_close(*outputs)
    one, other = (torch.autograd.grad((out * weights).sum(), variables) for out in outputs)
    torch.testing.assert_close(one, other)


@BOTH
def test_no_gradient_leaves_a_sequence_at_its_start(kind: MemoryKind) -> None:
    core = CORES[kind](D, H)
    memory = drawn(B, core.memory_size).requires_grad_()
    core(drawn(L, B, D), memory, torch.zeros(L, B, dtype=torch.bool)).sum().backward()
    assert memory.grad is None
    assert all(parameter.grad is not None for parameter in core.parameters())


@BOTH
def test_what_was_before_an_episode_changes_nothing_to_the_last_bit(kind: MemoryKind) -> None:
    core = CORES[kind](D, H)
    begin = 4

    def learnt(features: Tensor, memory: Tensor) -> list[Tensor]:
        core.zero_grad()
        features = features.clone().requires_grad_()
        starts = torch.zeros(L, B, dtype=torch.bool)
        starts[begin] = True
        outputs = core(features, memory, starts)
        (outputs[begin:] * drawn(L - begin, B, H, seed=5)).sum().backward()
        assert features.grad is not None
        gradients = [p.grad.clone() for p in core.parameters() if p.grad is not None]
        return [outputs[begin:].detach(), features.grad, *gradients]

    features, memory = drawn(L, B, D), drawn(B, core.memory_size, seed=1)
    poisoned = features.clone()
    poisoned[:begin] = 1e4 * drawn(begin, B, D, seed=7)
    wanted, found = learnt(features, memory), learnt(poisoned, -1e3 * memory)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


@BOTH
def test_under_autocast_all_of_it_is_float32(kind: MemoryKind) -> None:
    core = CORES[kind](D, H)
    features, memory, starts = drawn(L, B, D).bfloat16(), drawn(B, core.memory_size), some_starts()
    wanted = core(features.float(), memory, starts)
    with torch.autocast("cpu", torch.bfloat16):
        found = core(features, memory, starts)
    assert torch.equal(found, wanted)


def test_an_lstm_starts_by_keeping_what_it_has() -> None:
    _, _, bias, other = CORES["LSTM"](D, H).layer.parameters()
    assert bias.tolist() == [0.0] * H + [1.0] * H + [0.0] * 2 * H
    assert other.tolist() == [0.0] * 4 * H


@BOTH
def test_each_gate_starts_orthogonal(kind: MemoryKind) -> None:
    core = CORES[kind](D, H)
    _, of_state, *_ = core.layer.parameters()
    for gate in of_state.split(H):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(H))
