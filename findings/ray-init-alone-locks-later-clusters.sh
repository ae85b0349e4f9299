#!/usr/bin/env bash
# Once ray.init() ran alone, later Ray clusters of that machine refuse drivers that name their address
#
# Guess: A driver with RAY_ADDRESS connects to the cluster of `ray start --head` today as it did yesterday: whether
#   somebody ran ray.init() without any cluster in between plays no part.
# What happens: ray.init() without a cluster makes a token in ~/.ray. A head that is started later finds it and asks for
#   it. Drivers without an address are given it; one with RAY_ADDRESS is not, and ends after 20 seconds with "Failed to
#   connect to Ray cluster", which names no token. RAY_AUTH_MODE=token mends it.
# Why it matters: A laptop test of a script breaks the same script on the cluster, for all who share the home folder, and
#   the message points to the network.
# Where: ray 2.60.0, ray/_private/authentication/authentication_token_setup.py (a token that is there switches it on).
#
# Run it as it is, or with FINDINGS_PYTHON=/absolute/path/to/python to use an interpreter that has the packages.
set -euo pipefail

packages=(ray==2.60.0 setuptools)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${FINDINGS_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    "$python" -m pip install --quiet "${packages[@]}"
fi

cat > "$folder/check.py" <<'PY'
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version

print({"ray": version("ray")})
given = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
given |= {"HOME": os.getcwd(), "RAY_USAGE_STATS_ENABLED": "0"}  # the token is kept in the home folder
given["PATH"] = os.path.dirname(sys.executable) + os.pathsep + given["PATH"]
CONNECT = "import ray; ray.init(log_to_driver=False); print('connected to', ray.cluster_resources()['CPU'], 'CPUs')"


def connect(**extra):
    done = subprocess.run([sys.executable, "-c", CONNECT], env=given | extra, capture_output=True, text=True)
    said = re.findall(r"^(connected.*|ConnectionError.*)$", done.stdout + done.stderr, re.M)[-1]
    print(extra or "no address", "->", said)
    return said


@contextmanager
def head():
    """A head of seven CPUs; gives the address that it prints."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    with open("said", "w") as said:
        process = subprocess.Popen(
            ["ray", "start", "--head", f"--port={port}", "--num-cpus=7", "--include-dashboard=false", "--block"],
            env=given, stdout=said, stderr=said, start_new_session=True,
        )
    try:
        found = None
        while not found:
            time.sleep(0.5)
            assert process.poll() is None
            with open("said") as file:
                found = re.search(r"--address='([^']+)'", file.read())
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


with head() as address:
    before = connect(RAY_ADDRESS=address)
alone = connect(RAY_ADDRESS="local")
with head() as address:
    after = connect(RAY_ADDRESS=address)
    none = connect()
    token = connect(RAY_ADDRESS=address, RAY_AUTH_MODE="token")
connected = "connected to 7.0 CPUs"
checks = {
    "a driver with the address is connected at first": before == connected,
    "once ray.init() ran alone it is refused, as if nobody were there": after.startswith("ConnectionError"),
    "while one without an address is connected": none == connected,
    "and so is one with RAY_AUTH_MODE=token": token == connected,
}
for text, holds in checks.items():
    print("so:       " if holds else "NOT SO:   ", text)
sys.exit(0 if all(checks.values()) else 1)
PY
(cd "$folder" && "$python" check.py)
