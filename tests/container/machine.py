"""Root file systems to run commands in: chroot, overlay mounts, and what a container is given."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
WHEELS = "/wheels"
# What the base image's Python stands on; apt knows the names that a release has for them.
LIBRARIES = (
    "ca-certificates netbase tzdata libbz2-1.0 libdb5.3 libexpat1 libffi8 libgdbm6 liblzma5 "
    "libncursesw6 libreadline8 libsqlite3-0 libssl3 libuuid1 zlib1g"
)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def enter_own_namespaces() -> None:
    """Start this program again where its mounts and processes end with it."""
    if os.geteuid() != 0:
        sys.exit("the check mounts and changes root: run it as root")
    if "SCOUT_CONTAINER_CHECK" not in os.environ:
        os.environ["SCOUT_CONTAINER_CHECK"] = "1"
        inner = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *sys.orig_argv]
        os.execvp(inner[0], inner)


def run(command: Sequence[str]) -> None:
    """Run a program of this machine; a failure ends the check."""
    done = subprocess.run(list(command), check=False)
    if done.returncode != 0:
        sys.exit(f"failed with {done.returncode}: {' '.join(command)}")


class Machine:
    """A root file system and what it takes to run commands in it.

    Args:
        root: where it lies.
        wheels: a folder of wheels that pip may take instead of fetching them, or None.
    """

    def __init__(self, root: Path, wheels: Path | None = None) -> None:
        self.root = root
        self._wheels = wheels

    def prepare(self, shm_size: str) -> None:
        """Mount and write what an engine gives: processes, devices, shared memory, host names."""
        (self.root / "proc").mkdir(exist_ok=True)
        run(["mount", "-t", "proc", "proc", str(self.root / "proc")])
        run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(self.root / "dev")])
        for device in DEVICES:
            (self.root / "dev" / device).touch()
            run(["mount", "--bind", f"/dev/{device}", str(self.root / "dev" / device)])
        shm = self.root / "dev" / "shm"
        shm.mkdir()
        run(["mount", "-t", "tmpfs", "-o", f"size={shm_size},mode=1777", "tmpfs", str(shm)])
        shutil.copy("/etc/resolv.conf", self.root / "etc" / "resolv.conf")
        names = f"127.0.0.1 localhost\n127.0.0.1 {socket.gethostname()}\n"
        (self.root / "etc" / "hosts").write_text(names)
        if self._wheels is not None:
            folder = self.root / WHEELS.strip("/")
            folder.mkdir(exist_ok=True)
            run(["mount", "--bind", "-o", "ro", str(self._wheels), str(folder)])

    def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: str = "/",
        user: str = "0:0",
    ) -> int:
        """Run a command in here and return its exit code; nothing of our environment is seen."""
        outer = {name: os.environ[name] for name in PROXIES if name in os.environ}
        outer |= {"PIP_CERT": str(CERTIFICATES), "PIP_ROOT_USER_ACTION": "ignore"}
        if self._wheels is not None:
            outer |= {"PIP_FIND_LINKS": WHEELS, "PIP_RETRIES": "0"}
        inner = ["sh", "-c", 'cd "$0" && exec "$@"', folder, *command]
        chroot = ["chroot", "--groups=", f"--userspec={user}", str(self.root)]
        base = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}
        environment = base | outer | dict(environment)
        return subprocess.run([*chroot, *inner], env=environment, check=False).returncode


def overlay(lower: Path, folder: Path) -> Path:
    """Return a root file system over `lower`, whose changes are kept in `folder`."""
    upper, work, merged = folder / "upper", folder / "work", folder / "merged"
    for part in (upper, work, merged):
        part.mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)])
    return merged


def make_base(folder: Path, release: str, version: str, mirror: str) -> None:
    """Make what stands for the base image: a minimal Debian, and a Python in /usr/local."""
    done = folder / ".complete"
    if done.exists():
        return
    home = Path(sys.base_prefix)
    ours = "{}.{}".format(*sys.version_info)
    if ours != version or home == Path("/usr"):
        sys.exit(
            f"the image's Python is {version}: run the check with one that lies apart from /usr"
        )
    if not (folder / "debootstrap-done").exists():
        run(["debootstrap", "--variant=minbase", release, str(folder), mirror])
        (folder / "debootstrap-done").touch()
    local = folder / "usr" / "local"
    left_out = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*", "*.a")
    library = f"lib/python{version}"
    shutil.copytree(home / library, local / library, ignore=left_out, dirs_exist_ok=True)
    (local / library / "site-packages").mkdir(exist_ok=True)
    for shared in (home / "lib").glob("libpython3*.so*"):
        shutil.copy(shared, local / "lib", follow_symlinks=False)
    shutil.copy(home / "bin" / f"python{version}", local / "bin")
    for name in ("python", "python3"):
        (local / "bin" / name).unlink(missing_ok=True)
        (local / "bin" / name).symlink_to(f"python{version}")
    machine = Machine(folder)
    shutil.copy("/etc/resolv.conf", folder / "etc" / "resolv.conf")
    install = (
        f"apt-get update && apt-get install -y --no-install-recommends {LIBRARIES} && ldconfig "
        "&& rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb"
    )
    if machine.run(["sh", "-c", install], environment={"DEBIAN_FRONTEND": "noninteractive"}):
        sys.exit("the base image's libraries could not be installed")
    shutil.copy(CERTIFICATES, folder / str(CERTIFICATES).strip("/"))  # a proxy's among them
    done.touch()
