#!/usr/bin/env python3
"""Runs the Autobahn|Testsuite against websocket-echo, the gateway as an echo server.

    Tests/Autobahn/run.py short          what `make test` runs: the protocol without the large messages
    Tests/Autobahn/run.py all            all cases; reports are in .build/autobahn/reports
    Tests/Autobahn/run.py '6.4.*' 9.1.1  some cases

The last line is `autobahn: N passed, N failed`; lines above name the cases that failed. A case passes where the suite
finds it OK or INFORMATIONAL, and its close too. NON-STRICT is a failure.
"""

import fnmatch
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE = ROOT / "Tests/Autobahn/.venv/suite/bin"
ECHO = os.environ.get("WEBSOCKET_ECHO", ROOT / ".build/debug/websocket-echo")
REPORTS = ROOT / ".build/autobahn"

# All of them, as counted in version 25.10.1: a run of all that lists another number has missed some.
ALL = 517
SHORT = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*", "9.1.1", "9.2.1", "12.1.[1-3]", "12.2.1", "13.*.1"]
GOOD = {"behavior": {"OK", "INFORMATIONAL"}, "behaviorClose": {"OK", "INFORMATIONAL"}}
# Many cases only wait for a time to pass; so there are more clients than processors.
CLIENTS = 6
# More than so many are no matter of time.
RETRIED = 10

LIST = """
from autobahntestsuite.caseset import CaseSet
from autobahntestsuite.case import Cases, CaseCategories, CaseSubCategories
suite = CaseSet("WebSocket", "Case", Cases, CaseCategories, CaseSubCategories)
print("\\n".join(suite.caseClasstoId(case) for case in Cases))
"""


def cases(patterns):
    listed = subprocess.run([SUITE / "python", "-c", LIST], check=True, capture_output=True, text=True).stdout.split()
    if len(listed) != ALL:
        sys.exit(f"error: the suite has {len(listed)} cases, not {ALL}")
    return [case for case in listed if any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns)]


def client(url, number, wanted):
    """Starts one client of the suite for some of the cases."""
    folder = REPORTS / f"client{number}"
    folder.mkdir(parents=True)
    servers = [{"agent": "notify-bridge", "url": url}]
    spec = {"outdir": str(REPORTS / "reports" / str(number)), "servers": servers, "cases": wanted, "exclude-cases": []}
    (folder / "fuzzingclient.json").write_text(json.dumps({**spec, "exclude-agent-cases": {}}))
    return subprocess.Popen(
        [SUITE / "wstest", "--mode", "fuzzingclient", "--webport", "0", "--spec", "fuzzingclient.json"],
        cwd=folder, stdout=(folder / "log").open("w"), stderr=subprocess.STDOUT)


def run(url, wanted, first=0, clients=CLIENTS):
    """What each case was found to be: case -> {"behavior": …, "behaviorClose": …}."""
    numbers = range(first, first + min(clients, len(wanted)))
    for running in [client(url, number, wanted[number - first::clients]) for number in numbers]:
        running.wait()
    found = {}
    for number in numbers:
        index = REPORTS / f"reports/{number}/index.json"
        if index.exists():
            found.update(json.loads(index.read_text())["notify-bridge"])
    return found


def is_good(result):
    return all(result.get(key) in good for key, good in GOOD.items())


def main(patterns):
    wanted = cases({"all": ["*"], "short": SHORT}.get(" ".join(patterns), patterns))
    shutil.rmtree(REPORTS, ignore_errors=True)
    with subprocess.Popen([ECHO], stdout=subprocess.PIPE, text=True) as echo:
        try:
            url = echo.stdout.readline().strip()
            found = run(url, wanted)
            # The suite gives the server a second for much, which is too little where six clients keep a machine busy.
            late = [case for case, result in found.items() if not is_good(result)]
            if 0 < len(late) <= RETRIED:
                print(f"again, one after the other: {' '.join(late)}")
                found.update(run(url, late, first=CLIENTS, clients=1))
            if echo.poll() is not None:
                print(f"FAILED: websocket-echo ended with {echo.returncode}")
        finally:
            echo.kill()
    failed = 0
    for case in wanted:
        result = found.get(case, {"behavior": "NOT RUN"})
        if not is_good(result):
            failed += 1
            print(f"FAILED: {case}: {result['behavior']}, close {result.get('behaviorClose')}")
    print(f"autobahn: {len(wanted) - failed} passed, {failed} failed")
    return 1 if failed or not wanted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["short"]))
