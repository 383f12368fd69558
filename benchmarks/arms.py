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
BARLOW_TWINS = {"RepresentationLearningParameter": "Barlow-Twins"}
HALF = {"RepresentationShare": "0.5"}  # of each minibatch trains the head
ARMS: Mapping[str, dict[str, str]] = {
    "PPO": {"IntrinsicReward": "none"},
    BASELINE: {},
    "RND+BYOL": BYOL,
    "RND+BYOL, half": BYOL | HALF,
    "RND+Barlow-Twins": BARLOW_TWINS,
    "RND+Barlow-Twins, half": BARLOW_TWINS | HALF,
    "modified RND": MODIFIED,
    "modified RND+BYOL": MODIFIED | BYOL,
    "DRND": {"IntrinsicReward": "DRND"},
    "SND": {"IntrinsicReward": "SND"},
    "BYOL-Explore": {"IntrinsicReward": "BYOL-Explore"},
}
