"""A flag in the words of what the user typed: main.py's own, or make's variables."""

import os

FRONT = "SCOUT_FRONT"  # an environment variable; make sets it for what it starts
_MAKE_VARIABLES = {
    "--resume": "RESUME",
    "--overwrite": "OVERWRITE",
    "--log_name": "LOG_NAME",
    "--save_model_path": "CKPT",
    "--load_model_path": "CKPT",
    "--config_path": "CONFIG",
    "--num_env_per_process": "NUM_ENV",
    "--nproc_per_node": "NPROC",
    "--gpu_id": "GPU",
}


def typed(flag: str, value: object = "") -> str:
    """Return how a flag is given: --resume or RESUME=1, --log_name=a or LOG_NAME=a.

    Args:
        flag: of main.py or torchrun.
        value: what it is to say; empty where it says nothing or anything.
    """
    text = f"{flag}={value}" if value != "" else flag
    if os.environ.get(FRONT) != "make":
        return text
    variable = _MAKE_VARIABLES.get(flag)
    if variable is None:
        return f'ARGS="{text}"'
    if flag in ("--resume", "--overwrite"):
        return f"{variable}=1"
    return f"{variable}={value}" if value != "" else variable
