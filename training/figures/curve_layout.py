"""Which charts TensorBoard's tab "Custom Scalars" opens with."""

import re
from collections.abc import Mapping

Layout = Mapping[str, Mapping[str, list[str | list[str]]]]
"""Category -> chart -> [kind, tags], as `SummaryWriter.add_custom_scalars` takes it."""

_FIRST = {
    "return, mean of the last 100 episodes": ("charts/episodic_return",),
    "intrinsic reward": ("intrinsic/mean",),
    "does the bonus say what is new": ("intrinsic/novelty_correlation",),
    "rooms": ("atari/rooms_total", "atari/rooms_last_100"),
    "frames per second": ("time/fps",),
}
_POLICY = {
    "entropy": ("losses/entropy",),
    "KL": ("losses/approx_kl", "losses/kl"),
    "largest drop of a greedy action's probability": ("losses/greedy_drop",),
    "share of clipped ratios": ("losses/clip_fraction",),
    "explained variance": ("losses/explained_variance",),
}
_LOSSES = {
    "policy": ("losses/policy",),
    "values": ("losses/value_extrinsic", "losses/value_intrinsic"),
    "value and return, means": ("values/extrinsic_mean", "values/return_mean"),
    "value and return, deviations": ("values/extrinsic_std", "values/return_std"),
    "value of the bonus": ("values/intrinsic_mean", "values/intrinsic_std"),
    "advantage": ("values/advantage_mean", "values/advantage_std"),
    "critics": ("losses/critic",),
    "actor": ("losses/actor",),
    "value of the first critic": ("losses/value",),
    "predictor": ("losses/predictor",),
    "representation": ("losses/representation",),
    "norm of the gradient": ("losses/grad_norm",),
    "norm of the gradient, in parts": ("gradient/actor", "gradient/critic", "gradient/backbone"),
}
_REPRESENTATION = {
    "directions filled": ("representation/effective_rank", "representation/backbone_rank"),
    "spread": ("representation/feature_std", "representation/backbone_std"),
    "alignment of two views": ("representation/view_alignment",),
    "cosine of its gradient to PPO's": ("representation/gradient_cosine",),
}
_TIME = {
    "shares of the time (act is a part of collect)": (
        "time/fraction_collect",
        "time/fraction_act",
        "time/fraction_learn",
        "time/fraction_sync",
        "time/fraction_save",
    ),
    "memory of a rank, MB": ("system/rss",),
    "workers replaced": ("system/worker_restarts",),
}
_CATEGORIES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "1 look first": _FIRST,
    "2 policy": _POLICY,
    "3 losses": _LOSSES,
    "4 representation": _REPRESENTATION,
    "5 machine": _TIME,
}


_OF_REPLAY = {"losses/critic", "losses/actor", "losses/value"}
_OF_ROLLOUTS = {tag for tags in (_POLICY | _LOSSES).values() for tag in tags} - _OF_REPLAY


def curve_layout(
    *, has_bonus: bool, has_head: bool, has_rooms: bool, from_replay: bool, num_ranks: int
) -> Layout:
    """Return the charts of a run; those that it has no curves for are left out."""
    missing = set(_OF_ROLLOUTS if from_replay else _OF_REPLAY)
    if not has_bonus:
        missing |= {
            "intrinsic/mean",
            "intrinsic/novelty_correlation",
            "losses/value_intrinsic",
            "losses/predictor",
            "values/intrinsic_mean",
            "values/intrinsic_std",
        }
    if not has_head:
        missing |= {
            "losses/representation",
            *(tag for tags in _REPRESENTATION.values() for tag in tags),
        }
    if not has_rooms:
        missing |= {"atari/rooms_total", "atari/rooms_last_100"}
    layout: dict[str, dict[str, list[str | list[str]]]] = {}
    for category, charts in _CATEGORIES.items():
        for title, tags in charts.items():
            # TensorBoard takes a tag for a pattern, and would show episodic_return_max as well.
            patterns = [re.escape(tag) + "$" for tag in tags if tag not in missing]
            if patterns:
                layout.setdefault(category, {})[title] = ["Multiline", patterns]
    if num_ranks > 1:
        for part in ("collect", "learn"):
            mean, spread = f"time/fraction_{part}", f"ranks/fraction_{part}"
            title = f"{part}: share of the time, least and most busy rank"
            layout["5 machine"][title] = ["Margin", [mean, f"{spread}_min", f"{spread}_max"]]
    return layout
