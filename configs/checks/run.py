"""What steps the environments."""

from configs.schema import Config


def check_run(config: Config) -> list[str]:
    """Refuse groups without environments, and threads of ale-py where there is no Atari."""
    run, found = config.run, []
    groups = "auto" if run.agent != "PPO" else run.environment_groups
    if groups != "auto" and groups > run.num_envs:
        found.append(
            f"EnvironmentGroups = {groups} with NumEnv = {run.num_envs}: "
            "each group needs an environment"
        )
    if run.worker_backend == "ale_vector" and config.environment.env_type != "atari":
        found.append(
            f"WorkerBackend = {run.worker_backend} with EnvType = {config.environment.env_type}: "
            "ale-py steps the games of atari only; set WorkerBackend = auto"
        )
    return found
