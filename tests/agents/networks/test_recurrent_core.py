"""GRU and LSTM along sequences equal the papers' equations, step by step, and so do gradients."""

import pytest
import torch
from torch import Tensor, nn

from agents.networks.recurrent_core import CORES, MemoryKind, RecurrentCore

L, B, D, H = 9, 4, 5, 3
BOTH = pytest.mark.parametrize("kind", list(CORES))


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def core_of(kind: MemoryKind) -> RecurrentCore:
    """A core in float64, none of whose parameters is zero or one."""
    core = CORES[kind](D, H).double()
    for index, parameter in enumerate(core.parameters()):
        parameter.data = 0.7 * drawn(*parameter.shape, seed=index)
    return core


def some_starts() -> Tensor:
    starts = torch.rand(L, B, generator=torch.Generator().manual_seed(3)) < 0.3
    starts[0, 0] = True  # nothing of the memory before is left of one
    starts[:, 1] = False
    return starts


def walk(core: RecurrentCore, features: Tensor, memory: Tensor, starts: Tensor) -> Tensor:
    """The core's way along sequences, in the precision of its arguments."""
    kept = (~starts).to(features.dtype).unsqueeze(2)
    return core._walk(core.of_inputs(features), kept, memory)[0]


def gru_by_the_paper(core: RecurrentCore, x: Tensor, h: Tensor) -> Tensor:
    """arXiv 1406.1078, equations 5 to 8, the reset gate after the product; h is one row."""
    W, U = (layer.weight.chunk(3) for layer in (core.of_inputs, core.of_state))
    b, c = (layer.bias.chunk(3) for layer in (core.of_inputs, core.of_state))
    reset = 1 / (1 + torch.exp(-(W[0] @ x + b[0] + U[0] @ h + c[0])))
    update = 1 / (1 + torch.exp(-(W[1] @ x + b[1] + U[1] @ h + c[1])))
    candidate = torch.tanh(W[2] @ x + b[2] + reset * (U[2] @ h + c[2]))
    return (1 - update) * candidate + update * h


def lstm_by_the_paper(core: RecurrentCore, x: Tensor, memory: Tensor) -> Tensor:
    """Gers et al. 2000; output and cell side by side."""
    h, c = memory.chunk(2)
    W, U, b = (
        part.chunk(4) for part in (core.of_inputs.weight, core.of_state.weight, core.of_inputs.bias)
    )
    output, insert, keep = (
        1 / (1 + torch.exp(-(W[gate] @ x + U[gate] @ h + b[gate]))) for gate in range(3)
    )
    cell = keep * c + insert * torch.tanh(W[3] @ x + U[3] @ h + b[3])
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
    torch.testing.assert_close(walk(core, features, memory, starts), wanted)
    found, last = core.float()(features.float(), memory.float(), starts)
    torch.testing.assert_close(found, wanted.float())
    torch.testing.assert_close(last, after.float())
    outputs = []
    row = memory.float()
    for t in range(L):
        output, row = core(features[t : t + 1].float(), row, starts[t : t + 1])
        outputs.append(output[0])
    torch.testing.assert_close(torch.stack(outputs), wanted.float())
    torch.testing.assert_close(row, after.float())


@BOTH
def test_gradients_are_those_of_the_papers_equations(kind: MemoryKind) -> None:
    core, starts = core_of(kind), some_starts()
    features, weights = drawn(L, B, D).requires_grad_(), drawn(L, B, H, seed=5)
    memory = drawn(B, core.memory_size, seed=1)
    variables = (features, *core.parameters())
    wanted = torch.autograd.grad(
        (slowly(kind, core, features, memory, starts)[0] * weights).sum(), variables
    )
    found = torch.autograd.grad((walk(core, features, memory, starts) * weights).sum(), variables)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
    assert torch.autograd.gradcheck(
        lambda x, *_: walk(core, x, memory, starts), variables, fast_mode=True
    )


def test_a_gru_is_torchs_own() -> None:
    core, torchs = core_of("GRU"), nn.GRU(D, H).double()
    with torch.no_grad():
        for name, layer in (("ih", core.of_inputs), ("hh", core.of_state)):
            getattr(torchs, f"weight_{name}_l0").copy_(layer.weight)
            getattr(torchs, f"bias_{name}_l0").copy_(layer.bias)
    features, memory = drawn(L, B, D), drawn(B, H, seed=1)
    wanted, _ = torchs(features, memory.unsqueeze(0))
    found = walk(core, features, memory, torch.zeros(L, B, dtype=torch.bool))
    torch.testing.assert_close(found, wanted)


@BOTH
@pytest.mark.parametrize("steps", [1, L])
def test_no_gradient_leaves_a_sequence_at_either_end(kind: MemoryKind, steps: int) -> None:
    core = CORES[kind](D, H)
    memory = drawn(B, core.memory_size).float().requires_grad_()
    outputs, after = core(drawn(steps, B, D).float(), memory, torch.zeros(steps, B).bool())
    assert not after.requires_grad
    outputs.sum().backward()
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
        outputs, after = core(features, memory, starts)
        (outputs[begin:] * drawn(L - begin, B, H, seed=5).float()).sum().backward()
        assert features.grad is not None
        gradients = [p.grad.clone() for p in core.parameters() if p.grad is not None]
        return [outputs[begin:].detach(), after, features.grad, *gradients]

    features, memory = drawn(L, B, D).float(), drawn(B, core.memory_size, seed=1).float()
    poisoned = features.clone()
    poisoned[:begin] = 1e4 * drawn(begin, B, D, seed=7).float()
    wanted, found = learnt(features, memory), learnt(poisoned, -1e3 * memory)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


@BOTH
def test_under_autocast_all_of_it_is_float32(kind: MemoryKind) -> None:
    core = CORES[kind](D, H)
    features, memory = drawn(L, B, D).bfloat16(), drawn(B, core.memory_size).float()
    starts = some_starts()
    wanted = core(features.float(), memory, starts)
    with torch.autocast("cpu", torch.bfloat16):
        found = core(features, memory, starts)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


def test_an_lstm_starts_by_keeping_what_it_has() -> None:
    bias = CORES["LSTM"](D, H).of_inputs.bias
    assert bias.tolist() == [0.0] * 2 * H + [1.0] * H + [0.0] * H


@BOTH
def test_each_gate_starts_orthogonal(kind: MemoryKind) -> None:
    core = CORES[kind](D, H)
    for gate in core.of_state.weight.chunk(core.num_gates):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(H))
