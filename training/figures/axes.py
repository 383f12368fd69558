"""What the first two dimensions of a state are called, for pictures of visited states."""

_KNOWN = {
    "MountainCar-v0": ("position", "velocity"),
    "CartPole-v1": ("cart position", "cart velocity"),
    "Acrobot-v1": ("cosine of the first angle", "sine of the first angle"),
    "Pendulum-v1": ("cosine of the angle", "sine of the angle"),
}


def axis_names(env_id: str) -> tuple[str, str]:
    """Return what lies across and what upwards on a map of an environment's states."""
    return _KNOWN.get(env_id, ("first state dimension", "second state dimension"))
