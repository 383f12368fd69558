"""Keys of the codes this tool grew out of, so that their flat .conf files load unchanged.

They are github.com/jcwleo/random-network-distillation-pytorch (`config.conf`) and the study of RND
with BYOL and Barlow-Twins that was built on it. A key is either another spelling of one of ours
(an alias), or means the same in other words (a translation, told in a note), or has no counterpart
(told in a note where that changes nothing, refused where it would).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Both codes end their files with a section that only lists allowed values.
OPTIONS_SECTION = "OPTIONS"

HEAD_KEY = "RepresentationLearningParameter"

ALIASES: Mapping[str, str] = {
    "extracted_feature_embedding_dim": "FeatureDim",
    "representationLearningMethod": HEAD_KEY,
    "ProProcWidth": "PreProcWidth",
    "use_EMA_updated_shared_ppo_backbone_for_RND": "UseEmaBackboneForRND",
    "EMA_tau": "EmaTau",
    "use_gradient_projection": "UseGradientProjection",
    "freeze_shared_backbone": "FreezeSharedBackbone",
}

# The bonus of each method, and what that looks at.
_TRAIN_METHODS: Mapping[str, tuple[str, str]] = {
    "rnd": ("RND", "pixels"),
    "original_rnd": ("RND", "pixels"),
    "modified_rnd": ("RND", "features"),
    "ppo": ("none", "pixels"),
}
_LOSS_WEIGHTS: Mapping[str, str] = {
    "byol_representationlosscoef": "BYOL",
    "barlowtwins_representationlosscoef": "Barlow-Twins",
}
TAKEN = "{taken}"  # in a note, where the keys and values stand that were set
_NEARER = "the details that the file leaves open follow Preset, see Preset = jcwleo"


@dataclass(frozen=True)
class Translation:
    """What a setting of an older code means here.

    Attributes:
        settings: our keys and values; none if there is nothing to set.
        beside: more of them, which count as long as those do, each where its own name is not set.
        head: the representation head that it is about; it is ignored with another one.
        note: what the user should know; "" if the meaning is plain.
        problem: why it is refused; "" if it is not.
        instead: our key that, where it is set, takes the place of what is refused.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    head: str = ""
    note: str = ""
    problem: str = ""
    instead: str = ""


@dataclass(frozen=True)
class _Dropped:
    """A key without counterpart: the note, and the values it may have (none named = any).

    Where another value is refused, `instead` is our key that takes its place.
    """

    note: str
    harmless: frozenset[str] = frozenset()
    refused: str = ""
    instead: str = ""


_NO = frozenset({"false", "no", "off", "0"})

_DROPPED: Mapping[str, _Dropped] = {
    "StableEps": _Dropped("ignored: the code it comes from never reads it; see AdamEps"),
    "UseGPU": _Dropped("ignored: a GPU is used where there is one; see --gpu_id"),
    "UseNorm": _Dropped(
        "ignored: False is what NormalizeAdvantage does by default",
        _NO,
        "set NormalizeAdvantage instead",
        "NormalizeAdvantage",
    ),
    "UseNoisyNet": _Dropped(
        "ignored: there are no noisy layers", _NO, "this version has no noisy layers"
    ),
    "render": _Dropped(
        "ignored: see --eval --video", _NO, "environments have no window; see --eval --video"
    ),
    "shared_ppo_backbone_last_layer_type": _Dropped(
        "bonus and head look at the last dense layer here too",
        frozenset({"linear", "relu"}),
        "bonus and head look at the backbone's last dense layer here, never at its last "
        "convolution; set it to Linear for that layer",
    ),
    "SSL_pretraining": _Dropped(
        "ignored: False is the default",
        _NO,
        "the code it comes from pretrains without an end and never trains the policy; set "
        "SSLPretraining to a number of gradient steps, after which the policy is trained",
        "SSLPretraining",
    ),
    "apply_same_transform_to_batch": _Dropped(
        "ignored: every sample has a draw of its own",
        _NO,
        "every sample has a draw of its own here",
    ),
}
_DROPPED_BY_SPELLING = {key.casefold(): dropped for key, dropped in _DROPPED.items()}
_ALIASES_BY_SPELLING = {alias.casefold(): key for alias, key in ALIASES.items()}


def own_spelling(key: str) -> str:
    """Return our spelling of `key` if it is an alias, else `key` itself."""
    return _ALIASES_BY_SPELLING.get(key.casefold(), key)


def translate(key: str, value: str) -> Translation | None:
    """Return what a setting of an older code means, or None if `key` is no key of theirs."""
    spelled = key.casefold()
    if spelled == "lambda":
        return Translation({"GAELambda": value}, note=f"read as GAELambda = {value}")
    if spelled == "clipgradnorm":
        return Translation(
            {"MaxGradNorm": value},
            note=f"read as MaxGradNorm = {value}, which clips only with UseGradClipping = True; "
            "the code it comes from measures the norm and never clips",
        )
    if spelled == "trainmethod":
        return _train_method(value)
    if spelled in _LOSS_WEIGHTS:
        note = f"read as RepresentationCoef = {value}"
        settings = {"RepresentationCoef": value}
        return Translation(settings, head=_LOSS_WEIGHTS[spelled], note=note)
    dropped = _DROPPED_BY_SPELLING.get(spelled)
    return None if dropped is None else _drop(dropped, value)


def _drop(dropped: _Dropped, value: str) -> Translation:
    if dropped.harmless and value.casefold() not in dropped.harmless:
        return Translation(problem=dropped.refused, instead=dropped.instead)
    return Translation(note=dropped.note)


def _train_method(value: str) -> Translation:
    method = _TRAIN_METHODS.get(value.casefold())
    if method is None:
        return Translation(
            problem="is not one of the choices; allowed: RND, original_RND, modified_RND, PPO"
        )
    kind, looks_at = method
    return Translation(
        {"IntrinsicReward": kind}, {"RNDInput": looks_at}, note=f"read as {TAKEN}; {_NEARER}"
    )
