"""Games as other libraries name and wrap them."""

import pytest

from benchmarks.gymnasium_games import envpool_task, make_gymnasium, section_of


@pytest.mark.parametrize(
    ("env_id", "task"),
    [
        ("MontezumaRevengeNoFrameskip-v4", "MontezumaRevenge-v5"),
        ("ALE/Pong-v5", "Pong-v5"),
        ("CartPole-v1", "CartPole-v1"),
    ],
)
def test_envpool_calls_a_game_by_another_name(env_id: str, task: str) -> None:
    assert envpool_task(env_id) == task


@pytest.mark.parametrize(("num_frames", "shape"), [(1, (84, 84)), (4, (4, 84, 84))])
def test_gymnasium_wraps_a_game_with_as_many_frames(
    num_frames: int, shape: tuple[int, ...]
) -> None:
    game = make_gymnasium(section_of("PongNoFrameskip-v4"), num_frames)
    assert game.observation_space.shape == shape
    game.close()
