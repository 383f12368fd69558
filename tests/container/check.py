"""Take the Dockerfile's own steps in a clean root file system, for where there is no engine.

`make docker_check` runs it, as root; it needs debootstrap, unshare, chroot and about 4 GB of disk.

It stands in for `docker build` and `docker run` and differs from them. The base image is made here:
debootstrap's minimal Debian of the same release, with a copy of this machine's Python in /usr/local
where the real one compiles its own. Stages are overlay mounts; there are no layers, and a command
has this machine's network and kernel limits. What an image goes wrong in is the same: packages that
are not there, files that are missing, rights, users, variables.
"""

import argparse
import re
import shutil
import sys
import time
from pathlib import Path

from tests.container.dockerfile import (
    Instruction,
    Stage,
    argument,
    assignments,
    context_files,
    expand,
    stages,
    words,
)
from tests.container.machine import PATH, Machine, enter_own_namespaces, make_base, overlay, run

ROOT = Path(__file__).resolve().parent.parent.parent
BASE = re.compile(r"python:(?P<version>[\d.]+)-slim-(?P<release>\w+)")
SHM_SIZE = "2g"
RUN = "--train --config_path=configs/{} --num_env_per_process 2 --max_env_steps {} --log_name={}"
SOMEBODY = (
    "12345:12345"  # whom docker_start runs the container as where the host's user is not 1000
)


class Image:
    """One stage under way: its file system, and what instructions have set so far."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.environment: dict[str, str] = {}
        self.folder = "/"
        self.user = "0:0"
        self.shell = ["/bin/sh", "-c"]


def build(stage: Stage, image: Image, built: dict[str, Image], given: dict[str, str]) -> None:
    """Take all instructions of a stage."""
    arguments: dict[str, str] = {}
    for instruction in stage.instructions:
        word, rest = instruction.word, instruction.rest
        print(f"\n== Dockerfile:{instruction.line} {word} {rest}", flush=True)
        match word:
            case "ARG":
                arguments |= argument(rest, given)
            case "ENV":
                image.environment |= assignments(rest, {"PATH": PATH} | image.environment)
            case "WORKDIR":
                image.folder = rest
                (image.machine.root / rest.strip("/")).mkdir(parents=True, exist_ok=True)
            case "SHELL":
                image.shell = words(rest)
            case "USER":
                image.user = rest
            case "COPY":
                copy(rest, image, built)
            case "RUN":
                take_step(instruction, image, arguments)
            case "CMD":
                print(f"   starts {words(rest)}")
            case _:
                sys.exit(f"Dockerfile:{instruction.line}: the check knows no {word}")


def take_step(instruction: Instruction, image: Image, arguments: dict[str, str]) -> None:
    """RUN, in the stage's shell."""
    start = time.monotonic()
    code = image.machine.run(
        [*image.shell, instruction.rest],
        environment=arguments | image.environment,
        folder=image.folder,
        user=image.user,
    )
    print(f"   exit code {code} after {time.monotonic() - start:.0f} s", flush=True)
    if code != 0:
        sys.exit(f"Dockerfile:{instruction.line}: RUN failed with {code}")


def copy(rest: str, image: Image, built: dict[str, Image]) -> None:
    """COPY from the project, or from an earlier stage."""
    flags = dict(re.findall(r"--(\w+)=(\S+)", rest))
    *sources, target = re.sub(r"--\w+=\S+", "", rest).split()
    base = Path(image.folder) / expand(target, image.environment)
    place = image.machine.root / str(base).strip("/")
    if "from" in flags:
        (source,) = sources
        origin = built[flags["from"]].machine.root / source.strip("/")
        shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True)
    else:
        wanted = {Path(source) for source in sources}
        for inner in context_files(ROOT):
            if wanted & {Path(), Path(inner)}:
                (place / inner).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / inner, place / inner)
    if "chown" in flags:
        command = ["chown", "-R", flags["chown"], str(base)]
        assert image.machine.run(command, environment={}) == 0
    total = sum(path.lstat().st_size for path in place.rglob("*") if not path.is_symlink())
    print(f"   {base} holds {total / 1e6:,.0f} MB", flush=True)


def try_image(image: Image) -> None:
    """Do in the finished image what it is for, as its user and as somebody else."""
    pong = "Pong/config_ppo00.conf --set NumStep=16"
    mario = "SuperMarioBros/config_rnd00.conf --set NumStep=16 --set ObsNormStep=1"
    train = "python main.py " + RUN
    commands = [
        (image.user, 'test "$(id -u)" = 1000 && test ! -w /opt/scout && test ! -w /etc'),
        (image.user, "make && make doctor"),
        (image.user, train.format("demo_config.conf", 1024, "classic")),
        (image.user, "torchrun --nproc_per_node 2 --standalone main.py "
         + RUN.format("demo_config.conf", 2048, "two_ranks")),
        (image.user, train.format(pong, 64, "pong")),
        (image.user, train.format(mario, 64, "mario")),
        (image.user, "python main.py --eval --episodes 1 --video --log_name=classic "
         "--config_path=configs/demo_config.conf --load_model_path=checkpoints/classic.ckpt"),
        ("0:0", f"chown -R {SOMEBODY} logs checkpoints exports"),
        (SOMEBODY, train.format("demo_config.conf", 1024, "somebody")),
        (SOMEBODY, 'test "$(stat -c %u:%g logs/runs/somebody)" = ' + SOMEBODY),
        (SOMEBODY, "make export CKPT=checkpoints/somebody.ckpt "
         "&& test -s exports/demo/policy.safetensors"),
        (SOMEBODY, "make scalene_profiling NPROC=1 LOG_NAME=scalene "
         "&& test -s scaleneProfiler*.json"),
        (SOMEBODY, "make pytorch_profiling LOG_NAME=torch && python -c 'import torch_tb_profiler'"),
    ]  # fmt: skip
    for user, command in commands:
        print(f"\n== as {user}: {command}", flush=True)
        code = image.machine.run(
            ["bash", "-c", command], environment=image.environment, folder=image.folder, user=user
        )
        if code != 0:
            sys.exit(f"failed with {code} in the image: {command}")


def main() -> None:
    """Build, try, and remove what was built."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/scout-container-check"))
    parser.add_argument("--mirror", default="http://deb.debian.org/debian")
    parser.add_argument("--wheels", type=Path, help="a folder with wheels that pip may take")
    parser.add_argument("--flavor", default="cpu")
    parser.add_argument("--keep", action="store_true", help="keep the base for another check")
    options = parser.parse_args()
    enter_own_namespaces()
    given = {"FLAVOR": options.flavor}
    text = (ROOT / "Dockerfile").read_text()
    wheels = options.wheels.absolute() if options.wheels else None
    work = options.folder / "stages"
    shutil.rmtree(work, ignore_errors=True)
    built: dict[str, Image] = {}
    try:
        for stage in stages(text, given):
            base = BASE.fullmatch(stage.image)
            assert base is not None, f"the check cannot make {stage.image}"
            folder = options.folder / "base"
            make_base(folder, base["release"], base["version"], options.mirror)
            machine = Machine(overlay(folder, work / stage.name), wheels)
            machine.prepare(SHM_SIZE)
            built[stage.name] = image = Image(machine)
            print(f"\n=== FROM {stage.image} AS {stage.name}", flush=True)
            build(stage, image, built, given)
        try_image(image)
        print("\nall steps taken, all commands run")
    finally:
        for image in built.values():
            run(["umount", "--recursive", "--lazy", str(image.machine.root)])
        shutil.rmtree(work if options.keep else options.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
