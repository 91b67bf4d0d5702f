#!/usr/bin/env python3
"""Builds the fuzz targets and runs each for some seconds, two at a time.

    Fuzzing/run.py                 each for 20 seconds, as `make test` does
    Fuzzing/run.py 600 frames      one for ten minutes

First each replays its corpus, in which every input that was ever a finding is kept. The last line is
`fuzz: N targets passed, N failed`. A finding is written to .build-fuzz/findings.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / ".build-fuzz"
C_TARGETS = ["lines", "rows"]
# A Swift value that a lazy global keeps is no leak, but one that each run makes is.
# Swift's own report of a crash reads all memory, which AddressSanitizer takes for the fault.
ENVIRONMENT = {
    **os.environ, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:symbolize=1", "SWIFT_BACKTRACE": "enable=no"}


def toolchain(name):
    """A program beside `swift`: another clang has another runtime."""
    return pathlib.Path(shutil.which("swift")).resolve().parent / name


def build():
    """Returns the command of each target."""
    clang = toolchain("clang")
    resources = subprocess.run([clang, "-print-resource-dir"], check=True, capture_output=True, text=True).stdout.strip()
    runtime = f"{resources}/lib/linux/libclang_rt.fuzzer_no_main-{os.uname().machine}.a"
    swift = ["swift", "build", "-c", "release", "--package-path", ROOT / "Fuzzing", "--scratch-path", BUILD]
    subprocess.run(
        [*swift, "--disable-index-store", "--sanitize", "address", "--product", "fuzz"], check=True,
        env={**os.environ, "FUZZER_RUNTIME": runtime})
    program = BUILD / "release/fuzz"
    listed = subprocess.run([program, "list"], check=True, capture_output=True, text=True).stdout.split()
    commands = {name: [program, name] for name in listed}
    for name in C_TARGETS:
        commands[name] = [BUILD / f"fuzz_{name}"]
        subprocess.run(
            [clang, "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fuse-ld=lld",
             "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-ISources/CNotifyStore/include",
             *sorted(ROOT.glob("Sources/CNotifyStore/*.c")), f"Fuzzing/C/fuzz_{name}.c", "-lpq", "-o", *commands[name]],
            check=True, cwd=ROOT)
    return commands


# 0 is another one each time.
SEED = os.environ.get("NOTIFY_BRIDGE_TEST_SEED", "0")


def run(name, command, seconds):
    """Runs a target; returns whether it found nothing."""
    corpus, findings = BUILD / "corpora" / name, BUILD / "findings" / f"{name}-"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.parent.mkdir(exist_ok=True)
    done = subprocess.run(
        [*command, f"-max_total_time={seconds}", f"-seed={SEED}", "-print_final_stats=1", "-timeout=10", "-rss_limit_mb=2048",
         f"-artifact_prefix={findings}", corpus, ROOT / "Fuzzing/Corpora" / name],
        capture_output=True, text=True, errors="replace", env=ENVIRONMENT)
    found = {key: re.findall(pattern, done.stderr) for key, pattern in {
        "runs": r"number_of_executed_units: (\d+)", "rate": r"average_exec_per_sec: +(\d+)",
        "covered": r" cov: (\d+)", "corpus": r" corp: (\d+)/"}.items()}
    last = {key: values[-1] if values else "0" for key, values in found.items()}
    print(f"fuzz {name}: {last['runs']} runs, {last['rate']} a second, corpus of {last['corpus']} inputs "
          f"over {last['covered']} edges", flush=True)
    if done.returncode != 0 or int(last["runs"]) == 0:
        print(f"FAILED: {name}\n" + "\n".join(done.stderr.splitlines()[-60:]), flush=True)
        return False
    return True


def main(arguments):
    seconds = int(arguments[0]) if arguments else 20
    commands = build()
    wanted = arguments[1:] or sorted(commands)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(lambda name: run(name, commands[name], seconds), wanted))
    print(f"fuzz: {passed.count(True)} targets passed, {passed.count(False)} failed")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
