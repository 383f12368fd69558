"""Exports that tests read back."""

from pathlib import Path

from training.exporting.exported_policy import ExportedPolicy
from training.exporting.reading import load_export


def policy_in(folder: Path, *, trusted_env_id: str | None = None) -> ExportedPolicy:
    """Return what is known to be a policy of PPO."""
    found = load_export(folder, trusted_env_id=trusted_env_id)
    assert isinstance(found, ExportedPolicy)
    return found
