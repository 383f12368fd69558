"""The stages: which command each of them is, what it needs, and what is there when it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.folders.run_folder import LOGS
from training.world_model.presets import Preset

RUN = "controller"
RECIPES = Path("configs/CarRacing")
RANKED = ("encoder", "encode", "dynamics", "controller")  # what several ranks share


@dataclass(frozen=True)
class Stage:
    """One command.

    Attributes:
        name: short, for files and messages.
        title: what it does.
        words: of main.py.
        needs: the stages that it builds on.
        product: a file that it leaves, as a pattern: the newest that matches is meant.
        recipe: the file that its settings stand in; None where there is none.
        adds_to: the dataset that it completes and never replaces by itself; None where there is
            none.
    """

    name: str
    title: str
    words: tuple[str, ...]
    needs: tuple[str, ...]
    product: Path
    recipe: Path | None = None
    adds_to: Path | None = None

    def found(self) -> Path | None:
        """Return what it left, None where there is nothing."""
        matching = list(self.product.parent.glob(self.product.name))
        return max(matching, key=lambda path: path.stat().st_mtime, default=None)


def stages_of(preset: Preset, folder: Path, seed: int) -> Sequence[Stage]:
    """Return all stages in their order.

    Args:
        preset: their sizes.
        folder: where all of it lies.
        seed: of all of them.
    """
    rollouts, vae, latents, mdn = (folder / name for name in ("rollouts", "vae", "latents", "mdn"))
    controller = folder / "controller.ckpt"
    evaluation = run_folder(folder) / "evaluation"
    run = (f"--local_dir={folder}", f"--log_name={RUN}")
    repeat = f"--set=ActionRepeat={preset.action_repeat}"
    play = ("--eval", *run, repeat, f"--load_model_path={_best(controller)}")
    return (
        _stage(
            "collect",
            f"{preset.num_rollouts:,} episodes by a policy that drives at random",
            (),
            rollouts / "manifest-*.json",
            *("--collect", "--resume", "--policy=brownian", f"--seed={seed}"),
            f"--num_rollouts={preset.num_rollouts}",
            f"--max_steps={preset.max_steps}",
            repeat,
            f"--out_dir={rollouts}",
            recipe="vae.conf",
        ),
        _stage(
            "verify",
            "every byte of them checked",
            ("collect",),
            rollouts / "manifest-*.json",
            *("--data", "verify", str(rollouts)),
        ),
        _stage(
            "encoder",
            "a VAE: a frame becomes 32 numbers",
            ("verify",),
            _best(vae / "model.ckpt"),
            *("--train_encoder", "--resume", f"--seed={seed}"),
            f"--train_steps={preset.encoder_steps}",
            f"--dataset={rollouts}",
            f"--model_dir={vae}",
            recipe="vae.conf",
        ),
        _stage(
            "probe",
            "what these numbers know, as a page",
            ("encoder",),
            folder / "probe.html",
            *("--probe", f"--model={vae}", f"--dataset={rollouts}", f"--seed={seed}"),
            f"--out={folder / 'probe.html'}",
        ),
        _stage(
            "encode",
            "the episodes again, as these numbers",
            ("encoder",),
            latents / "manifest-*.json",
            *("--encode", f"--model={vae}", f"--dataset={rollouts}", f"--out_dir={latents}"),
            adds_to=latents,
        ),
        _stage(
            "dynamics",
            "an MDN-RNN: what follows an action",
            ("encode",),
            _best(mdn / "model.ckpt"),
            *("--train_dynamics", "--resume", f"--seed={seed}"),
            f"--train_steps={preset.dynamics_steps}",
            f"--rollouts_dataset={latents}",
            f"--model_dir={mdn}",
            recipe="mdn_rnn.conf",
        ),
        _stage(
            "controller",
            f"CMA-ES: {preset.generations:,} generations of {preset.population} controllers",
            ("encoder", "dynamics") if preset.with_memory else ("encoder",),
            controller,
            *("--train", "--resume", f"--seed={seed}", *run),
            f"--save_model_path={controller}",
            f"--cma_population_size={preset.population}",
            f"--cma_trials_per_member={preset.trials}",
            f"--cma_steps={preset.generations}",
            f"--vision_model={vae}",
            repeat,
            *((f"--memory_model={mdn}", "--set=ControllerInputs=latent") * preset.with_memory),
            recipe="cma.conf",
        ),
        _stage(
            "evaluation",
            f"{preset.episodes} tracks that were never seen, and a film",
            ("controller",),
            evaluation / "*[!k]_seed*.json",
            *(*play, f"--episodes={preset.episodes}", f"--seed={seed}", "--video"),
            recipe="cma.conf",
        ),
        _stage(
            "stock",
            "the same on the frames of Gymnasium's own renderer",
            ("controller",),
            evaluation / "*-stock_seed*.json",
            *(*play, f"--episodes={preset.episodes}", f"--seed={seed}", "--set=Renderer=stock"),
            recipe="cma.conf",
        ),
        _stage(
            "dream",
            "reality beside its drawing and a dream, as a film",
            ("dynamics", "controller"),
            folder / "dream.mp4",
            *("--play", f"--vision_model={vae}", f"--memory_model={mdn}", f"--seed={seed}"),
            f"--policy={_best(controller)}",
            f"--out={folder / 'dream.mp4'}",
            recipe="cma.conf",
        ),
    )


def run_folder(folder: Path) -> Path:
    """Return where the controller's run leaves its rows and evaluations."""
    return folder / LOGS / "runs" / RUN


def _best(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(f".best{checkpoint.suffix}")


def _stage(
    name: str,
    title: str,
    needs: tuple[str, ...],
    product: Path,
    *words: str,
    recipe: str | None = None,
    adds_to: Path | None = None,
) -> Stage:
    file = None if recipe is None else RECIPES / recipe
    given = () if file is None else (f"--config_path={file}",)
    return Stage(name, title, (words[0], *given, *words[1:]), needs, product, file, adds_to)
