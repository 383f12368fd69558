"""What a model of the user's, or a policy with a memory, cannot be beside."""

from configs.schema import Config


def check_custom_model(config: Config) -> list[str]:
    """Refuse what looks into the policy's own network, where there is another one."""
    name, section = config.ppo.custom_model_name, config.representation
    if name is None:
        if config.ppo.custom_model_config == "{}":
            return []
        return ["CustomModelConfig without CustomModel: name the model that it is for"]
    beside = [
        (f"Backbone = {config.ppo.backbone}", config.ppo.backbone != "own"),
        (f"PolicyMemory = {config.ppo.memory}", config.ppo.memory != "none"),
        (f"RepresentationLearningParameter = {section.kind}", section.kind != "None"),
        ("FreezeSharedBackbone = True", section.freeze_backbone),
        (f"RNDInput = {config.intrinsic.rnd_input}", config.intrinsic.rnd_input == "features"),
    ]
    return [
        f"CustomModel = {name} with {other}: that is about the policy's own network, in whose "
        "place the model is; leave one of them out"
        for other, is_set in beside
        if is_set
    ]


def check_memory(config: Config) -> list[str]:
    """Refuse what a policy with a memory cannot be."""
    ppo = config.ppo
    if ppo.memory == "none" or config.representation.use != "brain_split":
        return []
    return [
        f"PolicyMemory = {ppo.memory} with Representation = brain_split: actor and critics "
        "share one memory, and so one encoder; set Representation = finetune"
    ]
