"""A recipe with each bonus and each representation head: the settings that make it so."""

from collections.abc import Mapping

BASELINE = "RND"
# RND alone, whatever the recipe says; each arm changes of it what its name tells.
ALONE = {
    "IntrinsicReward": "RND",
    "RNDInput": "pixels",
    "RepresentationLearningParameter": "None",
    "SSLPretraining": "0",
    "FreezeSharedBackbone": "False",
}
# From the slow copy of the backbone, as in the study of configs/MiniGrid.
MODIFIED = {"RNDInput": "features", "UseEmaBackboneForRND": "True"}
BYOL = {"RepresentationLearningParameter": "BYOL"}
ARMS: Mapping[str, dict[str, str]] = {
    "PPO": {"IntrinsicReward": "none"},
    BASELINE: {},
    "RND+BYOL": BYOL,
    "RND+Barlow-Twins": {"RepresentationLearningParameter": "Barlow-Twins"},
    "modified RND": MODIFIED,
    "modified RND+BYOL": MODIFIED | BYOL,
    "DRND": {"IntrinsicReward": "DRND"},
    "SND": {"IntrinsicReward": "SND"},
    "BYOL-Explore": {"IntrinsicReward": "BYOL-Explore"},
}
