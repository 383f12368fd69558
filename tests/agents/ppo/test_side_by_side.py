"""Two threads that use torch at once do not disturb each other."""

import threading

import pytest
import torch
from torch import nn

from agents.ppo.side_by_side import kept_casts, learning_thread

CPU = torch.device("cpu")


def leave_an_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        pass


def cast_twice(between: threading.Barrier) -> bool:
    """Use a weight twice under autocast; return whether it was cast once."""
    layer, inputs = nn.Linear(4, 4), torch.ones(1, 4)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = [layer(inputs)]
        between.wait(10)
        between.wait(10)
        outputs.append(layer(inputs))
    first, second = (output.grad_fn.next_functions[0][0] for output in outputs)
    return first is second


@pytest.mark.parametrize("kept", [True, False])
def test_casts_of_one_thread_outlive_the_autocast_of_another_where_they_are_kept(
    kept: bool,
) -> None:
    """Without it torch empties the store for all; if it no longer does, `kept_casts` can go."""
    between = threading.Barrier(2)
    with learning_thread(CPU) as thread:
        once = thread.submit(cast_twice, between)
        between.wait(10)
        if kept:
            with kept_casts(CPU):
                leave_an_autocast()
                between.wait(10)
                assert once.result(10)
        else:
            leave_an_autocast()
            between.wait(10)
            assert not once.result(10)


def test_the_learning_thread_computes_with_as_many_threads_as_this_one() -> None:
    before = torch.get_num_threads()
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            with learning_thread(CPU) as thread:
                assert thread.submit(torch.get_num_threads).result() == number
    finally:
        torch.set_num_threads(before)
