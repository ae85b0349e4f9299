"""Schedulers that tests start and stop on this machine: SLURM with its own daemons, and Ray with two nodes."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

PATH = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"  # daemons lie there
SLURM = ("munged", "slurmctld", "slurmd", "sbatch", "srun")

# One node, which goes by the name of this machine and declares four processors. A job of the partition `high` pushes
# those of `low` out, back to the queue.
CONFIGURATION = """
ClusterName=overgen
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=2
SlurmdTimeout=10
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000
PartitionName=low Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=high Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing_programs() -> str:
    """Which of SLURM's programs this machine lacks, and what else keeps a test from starting them; "" if nothing."""
    lacking = [name for name in SLURM if shutil.which(name, path=PATH) is None]
    if lacking:
        return f"no {', '.join(lacking)} (Debian: slurm-wlm, munge)"
    return "" if os.getuid() == 0 else "slurmd is started by root"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


class Slurm:
    """A cluster of one node, with the daemons in a folder."""

    def __init__(self, folder: Path) -> None:
        """folder: without another file; nobody but its owner may write in it or in those above it."""
        self.folder = folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        host = socket.gethostname()
        text = CONFIGURATION.format(host=host, user="root", folder=folder, ports=(free_port(), free_port()))
        (folder / "slurm.conf").write_text(text)
        (folder / "key").write_bytes(os.urandom(1024))
        (folder / "key").chmod(0o400)
        folder.chmod(0o755)
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        of_munge = {"key-file": "key", "socket": "munge.socket", "pid-file": "munged.pid", "log-file": "munged.log",
                    "seed-file": "munge.seed"}  # fmt: skip
        self._call("munged", "--force", *(f"--{option}={folder / file}" for option, file in of_munge.items()))
        until((folder / "munge.socket").exists, 10)
        self._call("slurmctld", "-f", self.environment["SLURM_CONF"])
        self.start_node()
        until(lambda: "idle" in self.say("sinfo", "--noheader", "--format=%T"), 30)

    def _call(self, *command: str) -> None:
        subprocess.run(command, check=True, env=os.environ | self.environment | {"PATH": PATH}, capture_output=True)

    def say(self, *command: str) -> str:
        """What a program of SLURM's says."""
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True)
        return done.stdout + done.stderr

    def start_node(self) -> None:
        """Start the node's daemon."""
        self._call("slurmd", "-f", self.environment["SLURM_CONF"], "-N", socket.gethostname())

    def kill_node(self) -> None:
        """The node's daemon and all that it has started, at once."""
        pids = [int((self.folder / "slurmd.pid").read_text())]
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if b"SLURM_CONF=" + os.fsencode(self.environment["SLURM_CONF"]) in (folder / "environ").read_bytes():
                    said = (folder / "cmdline").read_bytes()
                    if b"slurmctld" not in said and (b"slurmstepd" in said or b"SLURM_JOB_ID=" in
                                                     (folder / "environ").read_bytes()):  # fmt: skip
                        pids.append(int(folder.name))
        for folder in Path("/proc").glob("[0-9]*"):  # which names its job in its command
            with suppress(OSError):
                if b"slurmstepd: [" in (folder / "cmdline").read_bytes():
                    pids.append(int(folder.name))
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End all of it."""
        self.say("scancel", "--user=root", "--signal=KILL")
        self.kill_node()
        for name in ("slurmctld", "munged"):
            with suppress(OSError, ValueError):
                os.kill(int((self.folder / f"{name}.pid").read_text()), signal.SIGTERM)


def pids_of(*words: str) -> list[int]:
    """The processes that have all these words in their command, in this order, but for shells."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if Path(command[0]).name.startswith("python") and all(word in command for word in words):
                found.append(int(folder.name))
    return found


def overgen(folder: Path, *arguments: str, **extra: str) -> subprocess.Popen[str]:
    """Start a command of overgen in a folder, with the code that is there."""
    from processes import environment

    return subprocess.Popen(
        [sys.executable, "-m", "overgen.cli", *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(PYTHONPATH=str(folder / "src")) | extra, text=True,
    )  # fmt: skip


class RayNodes:
    """A Ray cluster of two nodes on this machine, with two processors and with four."""

    def __init__(self, folder: Path) -> None:
        """folder: for what the nodes say."""
        self._said = folder / "said"
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._start("--head", f"--port={free_port()}", "--include-dashboard=false", "--num-cpus=2")
        until(lambda: re.search(r"--address='([^']+)'", self._said.read_text()))
        address = re.findall(r"--address='([^']+)'", self._said.read_text())[0]
        self.environment["RAY_ADDRESS"] = address
        self._start(f"--address={address}", "--num-cpus=4")
        until(lambda: "/6.0 CPU" in self._call("status"))

    def _start(self, *options: str) -> None:
        command = [Path(sys.executable).parent / "ray", "start", "--block", "--disable-usage-stats", *options]
        with self._said.open("a") as said:
            self._nodes.append(subprocess.Popen(
                command, stdout=said, stderr=said, start_new_session=True, env=os.environ | self.environment
            ))  # fmt: skip

    def _call(self, *arguments: str) -> str:
        command = [Path(sys.executable).parent / "ray", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | self.environment)
        return done.stdout

    def kill_second(self) -> None:
        """The second node, at once."""
        self._kill(self._nodes.pop())

    def _kill(self, node: subprocess.Popen[bytes]) -> None:
        """The daemons of a node. What they started sees them go, as it does when they die."""
        for process in psutil.Process(node.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name().startswith(("raylet", "gcs_server")):
                    process.kill()
        node.kill()
        node.wait()

    def stop(self) -> None:
        while self._nodes:
            self._kill(self._nodes.pop())
