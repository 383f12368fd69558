"""Runs the stages that are not whole yet, each as a process of its own."""

import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.errors import STOPPED_EXIT_CODE, ConfigurationError
from training.doctor.in_turn import FROM_A_TERMINAL, run
from training.folders.files import storage_error
from training.folders.last_word import leave_last_word
from training.live.console import final_message
from training.recording.removing import remove_dataset
from training.world_model.stages import RANKED, Stage
from training.world_model.stamps import Stamps

REFUSED = ConfigurationError.exit_code
HEARD = (signal.SIGTERM, *FROM_A_TERMINAL)


@dataclass(frozen=True)
class Pipeline:
    """Stages in one folder.

    Attributes:
        folder: where all of it lies.
        stages: in their order.
        num_ranks: processes of the stages that several can share.
        overwrite: replace what was made with other settings, or from what has changed since.
    """

    folder: Path
    stages: Sequence[Stage]
    num_ranks: int
    overwrite: bool

    def run(self) -> int:
        """Run what is missing; return 0, or the code that a stage ended with.

        Signals that ask for a stop are this program's from then on, and ignored at a bad end.

        Raises:
            ConfigurationError: a stage was made with other settings or from what has changed
                since, and is not to be replaced.
            StorageError: a stamp cannot be written, or what is replaced not removed.
        """
        try:
            return self._run()
        except _StopRequestedError:
            return _say_end("between two stages", STOPPED_EXIT_CODE, "")

    def _run(self) -> int:
        _listen()
        stamps = Stamps(self.folder, self.stages)
        self._check(stamps, self.stages)
        for number, stage in enumerate(self.stages, start=1):
            place = f"[{number}/{len(self.stages)}] {stage.name}"
            if stamps.is_whole(stage):
                final_message(f"{place}: whole, passed over")
                continue
            self._check(stamps, [stage])  # an earlier one may just have left something else
            final_message(f"{place}: {stage.title}")
            began = time.monotonic()
            is_known = stamps.has(stage)
            code, text = run(self._begin(stamps, stage))  # which hands signals on meanwhile
            _listen()
            if code == REFUSED and not is_known:  # nothing was made that others would replace
                stamps.remove(stage)
            if code == 128 + signal.SIGTERM:  # told to stop where there is nothing to save
                code = STOPPED_EXIT_CODE
            if code != 0:
                return _say_end(place, code, text)
            stamps.leave(stage)
            final_message(f"{place}: done in {time.monotonic() - began:,.0f} s")
        return 0

    def _check(self, stamps: Stamps, stages: Sequence[Stage]) -> None:
        """Refuse to replace anything, unless that is asked for."""
        if self.overwrite:
            return
        others = [stage.name for stage in stages if stamps.is_of_other_settings(stage)]
        if others:
            raise ConfigurationError(
                f"{self.folder}: {', '.join(others)} {'was' if len(others) == 1 else 'were'} made "
                "with other settings (preset, seed or recipe); choose another FOLDER, or "
                "OVERWRITE=1 to make them anew"
            )
        for stage in stages:
            changed = stamps.changed_since(stage)
            if changed:
                raise ConfigurationError(
                    f"{self.folder}: what {' and '.join(changed)} left is not what {stage.name} "
                    f"was made from; OVERWRITE=1 makes {stage.name} anew, and all that is built "
                    "on it"
                )

    def _begin(self, stamps: Stamps, stage: Stage) -> list[str]:
        """Make way for a stage and note that it begins; return its command."""
        words = stage.words
        if stamps.is_to_be_replaced(stage):
            self._remove_datasets_of(stamps, stage)
            words = tuple("--overwrite" if word == "--resume" else word for word in words)
        stamps.leave_begun(stage)
        return self._command(stage, words)

    def _remove_datasets_of(self, stamps: Stamps, replaced: Stage) -> None:
        """Remove datasets that a stage adds to, or one that builds on it: they would be refused.

        Their stamps go too, so that what is stopped afterwards goes on.
        """
        for stage in self.stages:
            if stage.adds_to is None or replaced.name not in (stage.name, *stage.needs):
                continue
            try:
                remove_dataset(stage.adds_to)
                stamps.remove(stage)
            except OSError as error:
                raise storage_error(stage.adds_to, error) from error

    def _command(self, stage: Stage, words: Sequence[str]) -> list[str]:
        alone = [sys.executable, "main.py", *words]
        if self.num_ranks == 1 or stage.name not in RANKED:
            return alone
        ranks = ["--nnodes=1", f"--nproc_per_node={self.num_ranks}", "--standalone"]
        return [sys.executable, "-m", "torch.distributed.run", *ranks, *alone[1:]]


class _StopRequestedError(Exception):
    """A signal came while no stage was running."""


def _listen() -> None:
    """Let signals that ask for a stop raise; those that are ignored, as by nohup, stay so."""

    def stop(*_: object) -> None:
        raise _StopRequestedError

    for number in HEARD:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def _say_end(place: str, code: int, text: str) -> int:
    """Say how a stage ended that did not end well, whatever signals come; return the code."""
    for number in HEARD:
        signal.signal(number, signal.SIG_IGN)
    if code == STOPPED_EXIT_CODE:
        text = "stopped; the same command as before goes on there"
    words = f"{place}: {text}"
    final_message(words)
    leave_last_word(code, words)
    return code
