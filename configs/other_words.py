"""What other trainers call what we have: words whose spelling does not lead to ours.

They are the flags and arguments of CleanRL, stable-baselines3, Sample Factory and RLlib, and are
only suggested, never taken: docs/coming_from.md says where the same word means another thing.
"""

from collections.abc import Mapping

_WORDS: Mapping[str, str] = {
    "EnvID": "env env_name environment game",
    "NumEnv": "num_envs n_envs n_env nenvs number_of_envs num_environments num_envs_per_worker "
    "num_envs_per_env_runner",
    "TotalEnvSteps": "total_timesteps timesteps num_timesteps total_steps train_for_env_steps "
    "max_steps max_timesteps",
    "NumStep": "num_steps n_steps rollout rollout_length rollout_fragment_length",
    "MiniBatch": "num_minibatches batch_size minibatch_size",
    "Epoch": "epochs n_epochs num_epochs update_epochs num_sgd_iter",
    "LearningRate": "lr",
    "LearningRateSchedule": "anneal_lr lr_schedule",
    "PPOEps": "clip_coef clip_range clip_param ppo_clip_ratio",
    "ClipValueLoss": "clip_vloss clip_range_vf",
    "Entropy": "ent_coef entropy_coeff exploration_loss_coeff",
    "ValueCoef": "vf_coef vf_loss_coeff value_loss_coeff",
    "NormalizeAdvantage": "norm_adv",
    "StateStackSize": "frame_stack framestack env_framestack num_stack",
    "FrameSkip": "env_frameskip",
    "PolicyMemory": "use_lstm lstm use_rnn rnn rnn_type use_gru recurrent recurrent_policy",
    "MemorySize": "lstm_cell_size lstm_hidden_size lstm_size rnn_size gru_size",
    "saveCkptEvery": "save_freq save_every_steps checkpoint_frequency",
}
_FLAG_WORDS: Mapping[str, str] = {
    "--log_name": "exp_name experiment experiment_name run_name name tb_log_name",
    "--load_model_path": "checkpoint checkpoint_path model_path ckpt",
    "--use_wandb": "track with_wandb wandb",
    "--gpu_id": "cuda device",
    "--local_dir": "storage_path root_dir",
    "--episodes": "n_eval_episodes eval_episodes max_num_episodes",
    "--greedy": "deterministic eval_deterministic",
    "--video": "capture_video save_video",
    "--config_path": "config cfg",
}
_NOT_A_SIZE = "how many, not how large"
_BY_NAME = "none, GRU or LSTM"
REMARKS: Mapping[str, str] = {
    "batchsize": _NOT_A_SIZE,
    "minibatchsize": _NOT_A_SIZE,
    "uselstm": _BY_NAME,
    "usernn": _BY_NAME,
    "usegru": _BY_NAME,
}


def plain(word: str) -> str:
    """Return a key or a flag without what spellings differ in: case, dashes and underscores."""
    return word.replace("-", "").replace("_", "").casefold()


def _by_word(table: Mapping[str, str]) -> dict[str, str]:
    return {plain(word): ours for ours, words in table.items() for word in words.split()}


KEY_OF: Mapping[str, str] = _by_word(_WORDS)
"""Our key for a plain word of another trainer's."""
FLAG_OF: Mapping[str, str] = _by_word(_FLAG_WORDS)
"""Our flag for one."""


def with_remark(word: str, ours: str) -> str:
    """Return our name for another trainer's word, with what is not the same about it."""
    remark = REMARKS.get(plain(word))
    return f"{ours} ({remark})" if remark else ours
