"""How a run begins: from nothing, or from what a checkpoint holds of it."""

from pathlib import Path
from typing import Any, Protocol

from configs.former import ACTION_MAPPING, with_former_values
from configs.loading import config_from_mapping, dump_config
from configs.typed import typed
from training.checkpoints.payload_form import laid_out
from training.checkpoints.storage import Payload
from training.loop.episodes import EpisodeLog
from training.loop.run_state import Restored
from training.loop.trainer import Beginning
from training.ranks.agreement import differing_keys
from training.session import Clock, Session

WORKER_BACKEND = "WorkerBackend"


class RestorableState(Protocol):
    """What a run is, see RunState."""

    @property
    def kept(self) -> str:
        """What of a checkpoint goes on with any number of ranks and environments, in words."""

    def restore_shared(self, payload: Payload, clock: Clock, episodes: EpisodeLog) -> None:
        """Lay out what all ranks share."""

    def restore_rank(self, payload: Payload) -> Restored:
        """Lay out this rank's own part (a collective)."""

    def restore_visits(self, payload: Payload) -> None:
        """Lay out of all ranks' own parts the visits alone, on the first rank."""


def lay_out(
    payload: Payload | None,
    state: RestorableState,
    session: Session,
    episodes: EpisodeLog,
    facts: dict[str, Any],
) -> tuple[Beginning, list[str]]:
    """Lay out a checkpoint; return how the run begins, and what the user should know."""
    if payload is None:
        return Beginning.FROM_NOTHING, []
    source = session.source or Path("the checkpoint")
    with laid_out("state", source):
        state.restore_shared(payload, session.clock, episodes)
    found: dict[str, Any] = payload["facts"]
    notes = [f"continued at {session.clock.env_steps:,} env steps", *differences(found, facts)]
    total = int(facts["config"]["TotalEnvSteps"])  # as text, which may have underscores
    if session.clock.env_steps >= total:
        notes.append(
            f"nothing is left to train: TotalEnvSteps = {total:,} is reached; a higher "
            f"{typed('--max_env_steps')} goes on"
        )
    changed = [
        f"{name} {found.get(name)} -> {facts[name]}"
        for name in ("device", "world_size", "num_envs")
        if found.get(name) != facts[name]
    ]
    if changed:
        notes.append(
            f"not exact: {', '.join(changed)}; {state.kept} go on, environments and random streams "
            "start anew"
        )
        with laid_out("visits", source):
            state.restore_visits(payload)
        return Beginning.WITH_NEW_EPISODES, notes
    with laid_out("rank's own state", source):
        restored = state.restore_rank(payload)
    if not restored.every_rollout:
        notes.append(
            "not exact: the rollout that was collected beside the last update and not yet learned "
            "from is dropped"
        )
    if not restored.in_their_episodes:
        notes.append(
            "not exact: not every environment could be continued within its episode, so all of "
            "them start new ones"
        )
        return Beginning.WITH_NEW_EPISODES, notes
    return Beginning.WHERE_IT_WAS, notes


def differences(found: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """Say what has changed since the checkpoint without ending what can be continued exactly."""
    notes = []
    # What is filled in is no change: not a key that is newer than the checkpoint either.
    filled_in = dump_config(config_from_mapping(with_former_values(found["config"])))
    wanted, old = facts["config"], {**filled_in, **found["config"]}
    if wanted[ACTION_MAPPING] == "auto":  # of choices, which have none
        old[ACTION_MAPPING] = "auto"
    if "ale_vector" not in (wanted[WORKER_BACKEND], old.get(WORKER_BACKEND)):
        old[WORKER_BACKEND] = wanted[WORKER_BACKEND]  # all others step to the same results
    keys = differing_keys([wanted, old])
    if keys:
        changes = (f"{key} {old.get(key)} -> {wanted.get(key)}" for key in keys)
        notes.append(f"changed since the checkpoint: {', '.join(changes)}")
    names = differing_keys([facts["versions"], found["versions"]])
    if names:
        notes.append(f"not exact to the last bit, other versions: {', '.join(names)}")
    if found["threads"] != facts["threads"]:
        notes.append(
            f"not exact to the last bit: {found['threads']} torch threads -> {facts['threads']}"
        )
    return notes
