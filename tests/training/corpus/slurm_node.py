"""A Slurm cluster of one node on this machine, on loopback and free ports, with all its files in a folder."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
_CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
NodeName={host} NodeAddr=127.0.0.1 Port={node_port} CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmctldDebug=info
SlurmdDebug=info
"""


def missing() -> str | None:
    """Why no cluster can be started here; None where it can."""
    lost = [name for name in _PROGRAMS if shutil.which(name, path=_path()) is None]
    if lost:
        return f"{', '.join(lost)} not installed (Debian: slurm-wlm)"
    return None if os.geteuid() == 0 else "slurmd runs jobs as root only"


@contextmanager
def slurm_node(folder: Path, cpus: int = 2) -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands reach the cluster."""
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    for name in ("state", "spool"):
        (folder / name).mkdir()
    for private in (folder, key):
        private.chmod(0o700)
    host = socket.gethostname().split(".")[0]
    conf = folder / "slurm.conf"
    ports = _free_ports(2)
    conf.write_text(_CONF.format(host=host, port=ports[0], node_port=ports[1], cpus=cpus, folder=folder, user="root"))
    environment = os.environ | {"SLURM_CONF": str(conf), "PATH": _path()}
    munged = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
              f"--pid-file={folder}/munge.pid", f"--seed-file={folder}/munge.seed",
              f"--log-file={folder}/munge.log"]  # fmt: skip
    with ExitStack() as stack:
        for command in (munged, ["slurmctld", "-D", "-c"], ["slurmd", "-D", "-N", host]):
            log = stack.enter_context((folder / f"{command[0]}.out").open("wb"))
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            stack.callback(_end, process)
            time.sleep(0.5)
        _wait_until_idle(environment)
        yield environment


def _wait_until_idle(environment: dict[str, str]) -> None:
    for _ in range(100):
        said = subprocess.run(["sinfo", "-h", "-o", "%t"], env=environment, capture_output=True, text=True)
        if said.stdout.strip() == "idle":
            return
        time.sleep(0.3)
    raise TimeoutError(f"the node does not come up: {said.stdout}{said.stderr}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
