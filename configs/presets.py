"""Presets: the details in which two well-known PyTorch ports differ from the RND paper.

A preset gives values for keys that neither the .conf file nor the command line sets. It holds
settings only: the ports' departures in the algorithm itself (docs/details.md) are not repeated.
How many environments run, and for how long, is a matter of the recipe.
"""

from collections.abc import Mapping

PresetValue = bool | int | float | str

# Burda et al. 2018, arXiv 1810.12894, tables 2-5: the schema's own defaults.
PAPER: Mapping[str, PresetValue] = {}

# github.com/jcwleo/random-network-distillation-pytorch. As in the paper: Adam's epsilon (agents.py,
# torch's default 1e-8) and no gradient clipping, in spite of ClipGradNorm = 0.5 in its config.conf:
# utils.py, global_grad_norm_ measures the norm and leaves the gradients as they are (its issue 17).
JCWLEO: Mapping[str, PresetValue] = {
    "ThirdKernel": 3,  # model.py, CnnActorCriticNetwork: 7 * 7 * 64 features reach the dense layer
    "RNDLeakySlope": 0.01,  # model.py, RNDModel: nn.LeakyReLU() with torch's default slope
    "UpdateProportion": 0.25,  # agents.py, update_proportion; constant at any number of envs
}

# github.com/vwxyzjn/cleanrl, cleanrl/ppo_rnd_envpool.py
CLEANRL: Mapping[str, PresetValue] = {
    "ThirdKernel": 3,  # Agent.network: nn.Conv2d(64, 64, 3, stride=1)
    "RNDLeakySlope": 0.01,  # RNDModel: nn.LeakyReLU() with torch's default slope
    "UpdateProportion": 0.25,  # --update-proportion
    "AdamEps": 1e-5,  # optim.Adam(..., eps=1e-5)
    "LearningRateSchedule": "linear",  # --anneal-lr, to 0 at --total-timesteps
    "NormalizeAdvantage": True,  # --norm-adv, after the two streams are summed
    "ClipValueLoss": True,  # --clip-vloss; the extrinsic head alone
    "ValueCoef": 0.25,  # --vf-coef 0.5 times the factor 0.5 inside ext_v_loss and int_v_loss
    "UseGradClipping": True,  # nn.utils.clip_grad_norm_ at --max-grad-norm 0.5, also our default
    "LifeDone": True,  # envpool.make(..., episodic_life=True)
}

PRESETS: Mapping[str, Mapping[str, PresetValue]] = {
    "paper": PAPER,
    "jcwleo": JCWLEO,
    "cleanrl": CLEANRL,
}
