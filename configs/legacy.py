"""Keys of the codes this tool grew out of, so that their flat .conf files load unchanged.

They are github.com/jcwleo/random-network-distillation-pytorch (`config.conf`) and the study of RND
with BYOL and Barlow-Twins that was built on it. A key is either another spelling of one of ours
(an alias), or means the same in other words (a translation, told in a note), or has no counterpart
(told in a note where that changes nothing, refused where it would).
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Both codes end their files with a section that only lists allowed values.
OPTIONS_SECTION = "OPTIONS"

ALIASES: Mapping[str, str] = {
    "extracted_feature_embedding_dim": "FeatureDim",
    "representationLearningMethod": "RepresentationLearningParameter",
    "ProProcWidth": "PreProcWidth",
}

_TRAIN_METHODS: Mapping[str, str] = {"rnd": "RND", "original_rnd": "RND", "ppo": "none"}
_NEARER = "the details that the file leaves open follow Preset, see Preset = jcwleo"


@dataclass(frozen=True)
class Translation:
    """What a setting of an older code means here.

    Attributes:
        key: our key, or "" if there is nothing to set.
        value: our value.
        note: what the user should know; "" if the meaning is plain.
        problem: why it is refused; "" if it is not.
    """

    key: str = ""
    value: str = ""
    note: str = ""
    problem: str = ""


@dataclass(frozen=True)
class _Dropped:
    """A key without counterpart: the note, and the values it may have (none named = any)."""

    note: str
    harmless: frozenset[str] = frozenset()
    refused: str = ""


_NO = frozenset({"false", "no", "off", "0"})
_NO_HEAD = _Dropped("ignored: no representation head")

_DROPPED: Mapping[str, _Dropped] = {
    "StableEps": _Dropped("ignored: the code it comes from never reads it; see AdamEps"),
    "UseGPU": _Dropped("ignored: a GPU is used where there is one; see --gpu_id"),
    "UseNorm": _Dropped(
        "ignored: False is what NormalizeAdvantage does by default",
        _NO,
        "set NormalizeAdvantage instead",
    ),
    "UseNoisyNet": _Dropped(
        "ignored: there are no noisy layers", _NO, "this version has no noisy layers"
    ),
    "render": _Dropped(
        "ignored: see --eval --video", _NO, "environments have no window; see --eval --video"
    ),
    "shared_ppo_backbone_last_layer_type": _Dropped(
        "ignored: the last layer is always a ReLU", frozenset({"relu"}), "it is always a ReLU"
    ),
    "RNDInput": _Dropped(
        "ignored: the bonus is always computed on the frame",
        frozenset({"pixels", "original"}),
        "this version computes the bonus on the frame",
    ),
    "SSL_pretraining": _Dropped(_NO_HEAD.note, _NO, "this version has nothing to pretrain"),
    "SSLPretraining": _Dropped(_NO_HEAD.note, _NO, "this version has nothing to pretrain"),
    "freeze_shared_backbone": _Dropped(_NO_HEAD.note, _NO, "this version freezes nothing"),
    "FreezeSharedBackbone": _Dropped(_NO_HEAD.note, _NO, "this version freezes nothing"),
} | dict.fromkeys(
    (
        "BYOL_projectionHiddenSize",
        "BYOL_projectionSize",
        "BYOL_movingAverageDecay",
        "BYOL_representationLossCoef",
        "BarlowTwinsLambda",
        "BarlowTwinsProjectionSizes",
        "BarlowTwins_representationLossCoef",
        "RepresentationCoef",
        "Augmentation",
        "apply_same_transform_to_batch",
        "UseEmaBackboneForRND",
        "use_EMA_updated_shared_ppo_backbone_for_RND",
        "EmaTau",
        "EMA_tau",
        "UseGradientProjection",
        "use_gradient_projection",
    ),
    _NO_HEAD,
)
_DROPPED_BY_SPELLING = {key.casefold(): dropped for key, dropped in _DROPPED.items()}
_ALIASES_BY_SPELLING = {alias.casefold(): key for alias, key in ALIASES.items()}


def own_spelling(key: str) -> str:
    """Return our spelling of `key` if it is an alias, else `key` itself."""
    return _ALIASES_BY_SPELLING.get(key.casefold(), key)


def translate(key: str, value: str) -> Translation | None:
    """Return what a setting of an older code means, or None if `key` is no key of theirs."""
    spelled = key.casefold()
    if spelled == "lambda":
        return Translation("GAELambda", value, note=f"read as GAELambda = {value}")
    if spelled == "clipgradnorm":
        return Translation(
            "MaxGradNorm",
            value,
            note=f"read as MaxGradNorm = {value}, which clips only with UseGradClipping = True; "
            "the code it comes from measures the norm and never clips",
        )
    if spelled == "trainmethod":
        return _train_method(value)
    dropped = _DROPPED_BY_SPELLING.get(spelled)
    if dropped is None:
        return None
    if dropped.harmless and value.casefold() not in dropped.harmless:
        return Translation(problem=dropped.refused)
    return Translation(note=dropped.note)


def _train_method(value: str) -> Translation:
    if value.casefold() == "modified_rnd":
        return Translation(
            problem="this version computes the bonus on the frame, not on the policy's features; "
            "allowed: RND, original_RND, PPO"
        )
    kind = _TRAIN_METHODS.get(value.casefold())
    if kind is None:
        return Translation(problem="is not one of the choices; allowed: RND, original_RND, PPO")
    return Translation("IntrinsicReward", kind, note=f"read as IntrinsicReward = {kind}; {_NEARER}")
