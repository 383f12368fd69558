"""A run that freezes the backbone of a checkpoint which still trained it.

The study of RND with BYOL and Barlow-Twins works in two runs: one trains the backbone by its head,
the next one goes on from its checkpoint with FreezeSharedBackbone = True.
"""

from collections.abc import Mapping
from typing import Any

from agents.ppo.learner import Learner
from configs.errors import ConfigurationError
from configs.schema import Config
from configs.typed import typed
from training.checkpoints.continuation import Start
from training.checkpoints.storage import Payload


def check_frozen_source(start: Start, config: Config) -> None:
    """Refuse to freeze a backbone that nothing has trained.

    Raises:
        ConfigurationError: the run begins from nothing and does not pretrain.
    """
    section = config.representation
    if section.freeze_backbone and section.pretraining_updates == 0 and start.source is None:
        raise ConfigurationError(
            "FreezeSharedBackbone = True without pretraining and without a checkpoint to begin "
            f"from: the backbone would stay random; add {typed('--load_model_path', 'FILE')}, or "
            "set SSLPretraining to a number of updates"
        )


def freezes_now(payload: Payload, facts: Mapping[str, Any]) -> bool:
    """Whether the run that tells `facts` freezes what the run of `payload` still trained."""
    before = payload["facts"]["config"].get("FreezeSharedBackbone", "False")
    return bool(before == "False" and facts["config"]["FreezeSharedBackbone"] == "True")


def restore_frozen(learner: Learner, state: Mapping[str, Any]) -> None:
    """Lay out all of a learner but its head; the optimiser, of other parameters, begins anew."""
    learner.load_state_dict(
        {name: value for name, value in state.items() if not name.startswith("representation.")}
    )
