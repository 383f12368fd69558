"""What becomes of each key of RLlib's: taken as one of ours, worked out, harmless, or refused.

Names and defaults are those of Ray 1.1 (`rllib/agents/trainer.py`, `rllib/agents/ppo/ppo.py`,
`rllib/models/catalog.py`); later names of the same things are read as well.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "whole number", "truth value", "word", "list", "mapping", "any"]


@dataclass(frozen=True)
class Rule:
    """What becomes of a key.

    Attributes:
        kind: what its value must be.
        ours: the key of a recipe that takes the value as it is; "" for none.
        only: the values that are honoured, as they change nothing here; None for any.
        reason: why another value is refused.
        note: what is said where the key is set and changes nothing.
    """

    kind: Kind = "any"
    ours: str = ""
    only: Collection[object] | None = None
    reason: str = ""
    note: str = ""


def _only(values: Collection[object], reason: str) -> Rule:
    return Rule(only=values, reason=reason)


def _never(reason: str) -> Rule:
    return Rule(only=(), reason=reason)


def _all(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


_OFF = (None, False, 0)
_RAYS = Rule(note="ignored: it is about Ray's own processes")
_SCHEDULE = (
    "schedules are not read; leave it out, or set LearningRateSchedule = linear, to 0 at the end, "
    "by --set"
)
_SEPARATE = "evaluation is apart here; evaluate the checkpoint by --eval, or play it by --rollout"

EXPERIMENT: Mapping[str, Rule] = {
    "run": Rule("word"),
    "env": Rule("word"),
    "stop": Rule("mapping"),
    "config": Rule("mapping"),
    "checkpoint_freq": Rule("whole number"),
    "checkpoint_at_end": _only((True,), "a checkpoint is always written at the end here"),
    "local_dir": Rule("word"),
    "num_samples": _only((1,), "an experiment is one run here; start another with --seed"),
    "restore": _only((None,), "name the checkpoint by --load_model_path, one of Scout's"),
    **_all(
        Rule(note="ignored: the newest checkpoint, the one before it and the best are kept"),
        "keep_checkpoints_num checkpoint_score_attr",
    ),
    **_all(_RAYS, "resources_per_trial max_failures raise_on_failed_trial upload_dir sync_config"),
}

STOP: Mapping[str, Rule] = {
    "timesteps_total": Rule("whole number"),
    "training_iteration": Rule("whole number"),
    **_all(
        _never("a run ends after its env steps here; say timesteps_total or training_iteration"),
        "episode_reward_mean episode_reward_max episode_reward_min episode_len_mean episodes_total "
        "time_total_s",
    ),
}

CONFIG: Mapping[str, Rule] = {
    # PPO
    "lr": Rule("number", "LearningRate"),
    "gamma": Rule("number", "Gamma"),
    "lambda": Rule("number", "GAELambda"),
    "lambda_": Rule("number", "GAELambda"),
    "clip_param": Rule("number", "PPOEps"),
    "entropy_coeff": Rule("number", "Entropy"),
    "vf_loss_coeff": Rule("number", "ValueCoef"),
    "use_gae": Rule("truth value", "UseGAE"),
    "num_sgd_iter": Rule("whole number", "Epoch"),
    "num_epochs": Rule("whole number", "Epoch"),
    "train_batch_size": Rule("whole number"),
    "sgd_minibatch_size": Rule("whole number"),
    "minibatch_size": Rule("whole number"),
    "grad_clip": Rule(),
    "kl_coeff": _only((0,), "there is no penalty on the KL divergence here; set kl_coeff: 0"),
    "kl_target": Rule(note="ignored: without a penalty on the KL divergence it means nothing"),
    "vf_clip_param": _only(
        (None, float("inf")),
        "values have no bound of their own here (Ray to 1.11 bounds their change, from 1.12 on the "
        "squared error); set .inf, or bound the change by clip_param: --set ClipValueLoss=True",
    ),
    "use_critic": _only((True,), "there always is a critic here"),
    "vf_share_layers": Rule("truth value"),
    "lr_schedule": _only((None,), _SCHEDULE),
    "entropy_coeff_schedule": _only((None,), "schedules are not read; leave it out"),
    "batch_mode": _only(
        ("truncate_episodes",),
        "rollouts have one length here, and values bootstrap at their ends; set truncate_episodes",
    ),
    "shuffle_sequences": _only((True,), "minibatches are always drawn at random here"),
    "optimizer": _only(({}, None), "the optimiser is Adam; its epsilon is --set AdamEps=X"),
    # environments and their processes
    "env": Rule("word"),
    "num_workers": Rule("whole number"),
    "num_rollout_workers": Rule("whole number"),
    "num_env_runners": Rule("whole number"),
    "num_envs_per_worker": Rule("whole number"),
    "num_envs_per_env_runner": Rule("whole number"),
    "rollout_fragment_length": Rule(),
    "horizon": Rule(),
    "env_config": _only(
        ({}, None),
        "nothing is handed to the environment's constructor; register an id that has these "
        "values, and name it as env: module:id",
    ),
    "normalize_actions": Rule("truth value"),
    "clip_actions": _only((True,), "continuous actions are always clipped to their bounds here"),
    "clip_rewards": _only((None, True, False), "rewards are raw or their sign; set true or false"),
    "preprocessor_pref": _only(("deepmind",), "frames are grey, 84 x 84, skipped and stacked"),
    "observation_filter": _only(("NoFilter", "MeanStdFilter"), "set NoFilter or MeanStdFilter"),
    "synchronize_filters": _only((True,), "statistics are those of all ranks here"),
    "seed": Rule(),
    "num_gpus": Rule("number"),
    "framework": _only(("torch",), "networks are torch's here; set framework: torch"),
    "model": Rule("mapping"),
    # what is always so, or never
    "explore": _only((True,), "training samples its actions; to play greedily see --greedy"),
    "exploration_config": _only(({}, {"type": "StochasticSampling"}), "actions are sampled here"),
    "sample_async": _only((False,), "see --set OverlapCollection=True"),
    "input": _only(("sampler",), "training on recorded play is not read from here"),
    "output": _only((None,), "record play by --rollout or --collect"),
    "monitor": _only((False,), "film a checkpoint by --rollout CKPT --monitor"),
    "record_env": _only((False, None), "film a checkpoint by --rollout CKPT --monitor"),
    "render_env": _only((False,), "film a checkpoint by --rollout CKPT --monitor"),
    "multiagent": _only(({}, None), "there is one agent here"),
    "callbacks": _only(({}, None), "a hook of your own is a place in the code: docs/extending.md"),
    "soft_horizon": _only((False,), "an episode that is cut begins anew here"),
    "no_done_at_end": Rule("truth value", "BootstrapTruncations"),
    "metrics_smoothing_episodes": _only((100,), "scores are of the last 100 episodes here"),
    "evaluation_interval": _only(_OFF, _SEPARATE),
    "evaluation_num_workers": _only(_OFF, _SEPARATE),
    "custom_eval_function": _only((None,), _SEPARATE),
    "num_gpus_per_worker": _only(_OFF, "environments step on the CPU here"),
    "remote_worker_envs": _only((False,), "several environments share a worker process here"),
    **_all(
        Rule(note="ignored: evaluation is apart, see --eval"),
        "evaluation_num_episodes evaluation_duration evaluation_config in_evaluation",
    ),
    **_all(
        Rule(note="ignored: lost workers are replaced, see MaxWorkerRestarts"),
        "ignore_worker_failures recreate_failed_workers",
    ),
    "log_level": Rule(note="ignored: see verbose_logging"),
    **_all(
        _RAYS,
        "num_cpus_per_worker num_cpus_for_driver custom_resources_per_worker memory "
        "object_store_memory memory_per_worker object_store_memory_per_worker tf_session_args "
        "local_tf_session_args eager_tracing simple_optimizer compress_observations log_sys_usage "
        "collect_metrics_timeout min_iter_time_s timesteps_per_iteration create_env_on_driver "
        "remote_env_batch_wait_ms extra_python_environs_for_driver "
        "extra_python_environs_for_worker _fake_gpus _use_trajectory_view_api placement_strategy",
    ),
}

_LSTM = "an LSTM sees observations alone here; set false"
_ATTENTION = "there is no attention over time here"

MODEL: Mapping[str, Rule] = {
    "fcnet_hiddens": Rule("list", "StateHiddenSizes"),
    "fcnet_activation": _only(("tanh",), "the layers of states have hyperbolic tangents; set tanh"),
    "conv_filters": Rule(),
    "conv_activation": _only(("relu",), "convolutions are rectified here; set relu"),
    "post_fcnet_hiddens": Rule("list"),
    "post_fcnet_activation": _only(("relu",), "layers after convolutions are rectified; set relu"),
    "vf_share_layers": Rule("truth value"),
    "free_log_std": _only((True,), "the deviation is a parameter of its own here; set true"),
    "no_final_linear": _only((False,), "outputs have a layer of their own here"),
    "use_lstm": Rule("truth value"),
    "lstm_cell_size": Rule("whole number"),
    "max_seq_len": Rule("whole number"),
    **_all(_only(_OFF, _LSTM), "lstm_use_prev_action lstm_use_prev_reward"),
    "lstm_use_prev_action_reward": _only((False, None, -1), _LSTM),
    "_time_major": _only((False,), _LSTM),
    "use_attention": _only((False,), _ATTENTION),
    **_all(
        Rule(note="ignored: without use_attention it means nothing"),
        "attention_num_transformer_units attention_dim attention_num_heads attention_head_dim "
        "attention_memory_inference attention_memory_training attention_position_wise_mlp_dim "
        "attention_init_gru_gate_bias attention_use_n_prev_actions attention_use_n_prev_rewards",
    ),
    "framestack": Rule("truth value"),
    "dim": Rule("whole number"),
    "grayscale": _only((True,), "frames of games are grey here; set true"),
    "zero_mean": _only((False,), "networks take frames of 0 to 255 here; set false"),
    "custom_model": Rule(),
    "custom_model_config": Rule("mapping"),
    "custom_options": Rule("mapping"),
    "custom_action_dist": _only((None,), "choices are categorical, continuous actions Gaussian"),
    "custom_preprocessor": _only((None,), "preprocess in an environment of your own: module:id"),
}

ALGORITHMS = ("PPO",)

# What RLlib's PPO does where a file says nothing, in our keys.
DEFAULTS: Mapping[str, str] = {
    "LearningRate": "5e-05",
    "Gamma": "0.99",
    "GAELambda": "1.0",
    "PPOEps": "0.3",
    "Entropy": "0.0",
    "ValueCoef": "1.0",
    "Epoch": "30",
    "ExtCoef": "1.0",
    "NormalizeAdvantage": "True",
    "StateHiddenSizes": "256, 256",
    "ActionMapping": "clip",
    "MaxStepPerEpisode": "auto",
    "LearningReward": "raw",
    "StickyAction": "False",
    "StateStackSize": "1",
    "BootstrapTruncations": "False",
    "IntrinsicReward": "none",
}
# The same for Atari, as RLlib wraps it.
OF_ATARI: Mapping[str, str] = {
    "StickyAction": "False",
    "StateStackSize": "4",
    "LifeDone": "True",
    "LearningReward": "sign",
}
NUM_WORKERS, NUM_ENVS, BATCH_SIZE, MINIBATCH_SIZE = 2, 1, 4000, 128  # RLlib's as well
