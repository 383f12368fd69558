"""What controllers cannot look through, and populations that learn nothing."""

from configs.schema import Config

SMALLEST_POPULATION = 8  # from which on CMA-ES learns from noisy fitnesses


def check_evolution(config: Config) -> list[str]:
    """Refuse what controllers cannot look through, and populations that learn nothing."""
    section, found = config.evolution, []
    if section.population_size < SMALLEST_POPULATION:
        found.append(
            f"PopulationSize = {section.population_size} with Agent = CMA-ES: so few learn next to "
            f"nothing from noisy fitnesses; choose {SMALLEST_POPULATION} or more"
        )
    if not config.observes_pixels and section.vision_model != "none":
        found.append(
            f"VisionModel = {section.vision_model} with state observations: encoders see frames; "
            "set ObservationType = pixels, or VisionModel = none"
        )
    if config.ppo.backbone != "own":
        found.append(
            f"Backbone = {config.ppo.backbone} with Agent = CMA-ES: it is about PPO's policy; set "
            "VisionModel"
        )
    if config.run.worker_backend == "ale_vector":
        found.append(
            "WorkerBackend = ale_vector with Agent = CMA-ES: its resets cannot be given a seed; "
            "set WorkerBackend = auto"
        )
    return found
