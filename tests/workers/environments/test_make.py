"""Every family of environments can be built from its section, and none loads torch."""

import importlib.util
import subprocess
import sys
import typing

import pytest
from gymnasium.utils.env_checker import check_env

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.make import make_environment

SECTIONS = {
    "atari": EnvironmentSection(env_type="atari", env_id="PongNoFrameskip-v4"),
    "mario": EnvironmentSection(env_type="mario", env_id="SuperMarioBros-v0"),
    "classic_control": EnvironmentSection(env_type="classic_control", env_id="CartPole-v1"),
    "box2d": EnvironmentSection(env_type="box2d", env_id="CarRacing-v3", frame_colour="rgb"),
    "mujoco": EnvironmentSection(env_type="mujoco", env_id="Hopper-v5"),
    "sprites": EnvironmentSection(env_type="sprites", env_id="Sprites-v2"),
    "minigrid": EnvironmentSection(
        env_type="minigrid", env_id="MiniGrid-MultiRoom-N4-S5-v1", max_episode_steps="auto"
    ),
    "gymnasium": EnvironmentSection(env_type="gymnasium", env_id="Acrobot-v1"),
}


PACKAGES = {"mario": "nes_py", "minigrid": "minigrid", "mujoco": "mujoco", "box2d": "Box2D"}


def test_there_is_an_example_of_every_family() -> None:
    field = EnvironmentSection.model_fields["env_type"]
    assert {*SECTIONS, "dream"} == set(typing.get_args(field.annotation))


def test_a_dream_is_no_simulator() -> None:
    with pytest.raises(ConfigurationError, match="a dream can be trained in and evaluated"):
        make_environment(EnvironmentSection(env_type="dream", env_id="runs/mdn"))


@pytest.mark.parametrize("family", SECTIONS)
@pytest.mark.filterwarnings("ignore")
def test_every_family_is_built_and_keeps_to_gymnasiums_rules(family: str) -> None:
    package = PACKAGES.get(family)
    if package is not None and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    environment = make_environment(SECTIONS[family])
    check_env(environment, skip_render_check=True)
    spec = environment.environment_spec
    assert spec.env_id == SECTIONS[family].env_id
    assert environment.observation_space.shape == spec.observation_shape
    assert str(environment.observation_space.dtype) == spec.observation_dtype
    environment.close()


def test_a_vector_environment_loads_neither_torch_nor_opencv_nor_an_emulator() -> None:
    code = (
        "import sys; from configs.schema import EnvironmentSection; "
        "from workers.environments.make import make_environment; "
        "make_environment(EnvironmentSection(env_type='classic_control', env_id='CartPole-v1'))"
        ".reset(seed=0); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'cv2', 'ale_py', 'nes_py')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
