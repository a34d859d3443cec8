"""Let file operations of the command fail, one kind at a time, and see that nothing is lost.

    python fuzz/file_errors.py MIEN PHOTO [--runs 200] [--seed 0]

MIEN: the installed command. PHOTO: of one face. Needs strace. Each run takes a copy of a home with
one enrolled person, and a command whose system calls of one kind on the vault's, the key's, the
guard's, the models' and the photo's paths fail with one errno, from the n-th on. The command must
answer rightly or end with one line and its own exit code, and the vault must pass verification.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

CALLS = (
    *("openat", "read", "pread64", "newfstatat", "fstat", "lseek", "mmap", "flock", "fcntl"),
    *("write", "pwrite64", "fsync", "fdatasync", "rename", "linkat", "unlink", "ftruncate"),
)
ERRORS = ("EIO", "ENOSPC", "EACCES", "EMFILE", "ENOMEM", "EROFS")
HANG_S = 60
WRONG_CODES = (1, 3, 4)  # an error of the machine is never "not the owner" or "no face"


def command_of(rng: random.Random, photo: Path) -> list[str]:
    return rng.choice(
        [
            ["unlock", "me", str(photo)],
            ["enroll", "you", str(photo)],
            ["forget", "me"],
            ["rename", "me", "you"],
            ["vault", "rotate"],
            ["list"],
            ["log"],
        ]
    )


def traced(home: Path, photo: Path, call: str, error: str, first: int, log: Path) -> list[str]:
    """The beginning of a command line that lets the calls fail."""
    files = [path for path in home.rglob("*") if path.is_file()]
    companions = [Path(f"{path}{end}") for path in files for end in ("-wal", "-shm")]
    paths = sorted({photo, *files, *companions, *(path.parent for path in files)})
    line = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={call}"]
    line += ["-e", f"inject={call}:error={error}:when={first}+"]
    return line + [part for path in paths for part in ("-P", str(path))]


def fault_of(line: list[str], environ: dict[str, str]) -> tuple[str, int]:
    """What is wrong with a run, "" for nothing; and its exit code."""
    try:
        ran = subprocess.run(
            line, env=environ, capture_output=True, text=True, timeout=HANG_S, check=False
        )
    except subprocess.TimeoutExpired:
        return "it hangs", -1
    lines = ran.stderr.splitlines()
    if ran.returncode < 0 or ran.returncode in WRONG_CODES:
        return f"exit code {ran.returncode}: {ran.stderr[-300:]}", ran.returncode
    if "Traceback" in ran.stderr or (ran.returncode and len(lines) != 1):
        return f"not one line: {ran.stderr[-300:]}", ran.returncode
    return "", ran.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mien")
    parser.add_argument("photo", type=Path)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, codes, hits, faults = random.Random(args.seed), Counter[int](), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        home, whole, log = Path(folder, "home"), Path(folder, "whole"), Path(folder, "strace")
        environ = {**os.environ, "HOME": str(home)}
        home.mkdir()
        for arguments in (["enroll", "me"], ["unlock", "me"]):
            command = [args.mien, *arguments, str(args.photo)]
            subprocess.run(command, env=environ, check=True, capture_output=True)
        home.rename(whole)
        for _ in range(args.runs):
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(whole, home)
            call, error, first = rng.choice(CALLS), rng.choice(ERRORS), rng.randint(1, 6)
            command = command_of(rng, args.photo)
            line = traced(home, args.photo, call, error, first, log)
            fault, code = fault_of([*line, args.mien, *command], environ)
            hits += "INJECTED" in log.read_text(errors="replace")
            codes[code] += 1
            verified = subprocess.run(
                [args.mien, "vault", "verify"], env=environ, capture_output=True, check=False
            )
            if verified.returncode:
                fault += f" the vault is damaged: {verified.stderr.decode()[-300:]}"
            if fault:
                faults += 1
                print(f"{call} {error} from {first} on, {command[0]}: {fault}", flush=True)
    print(f"{args.runs} runs, {hits} with a failing call, {faults} faults, exit codes {codes}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
