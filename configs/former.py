"""What a stored configuration means that was written before a key existed.

A checkpoint keeps the meaning that it was trained with, also where a key's default is another one.
"""

from collections.abc import Mapping

ACTION_MAPPING = "ActionMapping"


def with_former_values(flat: Mapping[str, str]) -> dict[str, str]:
    """Return a stored configuration with what went without saying when it was written.

    Args:
        flat: keys and values, as `configs.loading.dump_config` wrote them.
    """
    if ACTION_MAPPING in flat:
        return dict(flat)
    told = {**flat, ACTION_MAPPING: "clip"}
    if flat.get("EnvType") == "gymnasium" and flat.get("ObservationType") == "auto":
        told["ObservationType"] = "state"  # images of more kinds are taken for images now
    return told
