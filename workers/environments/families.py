"""Which family an id belongs to, as far as its name alone tells."""

BEGINNINGS = (
    ("SuperMarioBros", "mario"),
    ("ALE/", "atari"),
    ("MiniGrid-", "minigrid"),
    ("BabyAI-", "minigrid"),
)


def family_by_name(env_id: str) -> str | None:
    """Return the EnvType whose ids are called like this one; None where the name tells none.

    These are registered by packages that only their own family imports, or by none.
    """
    if "NoFrameskip" in env_id:
        return "atari"
    families = (family for beginning, family in BEGINNINGS if env_id.startswith(beginning))
    return next(families, None)
