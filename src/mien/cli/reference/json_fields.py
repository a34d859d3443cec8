"""What `--json` prints: the fields of each command's object, for the documents and their test.

One object is printed in every case. Every object has the fields `COMMON`; a failure has those and
`ERROR`. Times are ISO 8601 in UTC. A field that may be unknown is then null.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMON = {
    "outcome": "a word for what happened; see outcomes",
    "exit_code": "the exit code of the process",
}
ERROR = {"error": "the line that is also on standard error"}
DECISION = {
    "similarity": "-1 to 1; null where there was no face to compare",
    "threshold": "the least similarity to accept, for these two faces",
    "model": "the embedder",
    "calibration": "the name of a calibration of your own, or null",
    "reason": "the decision in words",
    "odds": "how often a stranger would score this high, in words, or null",
    "faults": "what puts the photo outside the calibrated quality, in words",
    "face": "the face: `box_xyxy`, `points_xy` in pixels, and `score`; or null",
}
LIVENESS = {
    "liveness": "the check for a living person: its tier and scores; null where none was made"
}
USER = {"user": "the name, as it is stored"}
ENROLLMENT = {
    **USER,
    "photos_in_template": "how many there are now",
    "quality": "good, fair or poor",
    "photos": "of each photo: `photo`, `leave_one_out` (similarity to the others), `agrees`,"
    " `advice`",
    "skipped": "of each photo that repeats another: `photo`, `same_as`",
    "left_out": "why each photo of a folder could not be used",
    "advice": "what would make the template better",
    "expectation": "how often to expect a refusal, in words, or null",
    "closest_stranger": "similarity of the nearest stranger of the cohort",
    "margin": "how far that is under the threshold",
    "look_alikes": "of each: `user`, `similarity`",
}
PEOPLE = {"people": "how many"}
REPORT = {"report": "path of the report"}
NOTES = {"notes": "the folder's layout, and warnings of folders that may hold several people"}
VAULT = {
    "place": "a path, or a URL without its password",
    **PEOPLE,
    "key": "the kind of key, or null without a vault",
    "key_where": "where the key is",
    "files": "whether owner and mode of files are checked, in words",
    "change": "the number of the last change",
    "log_entries": "how many",
    "centroids": "whether they are kept",
    "readable_in_database": "whether pgvector compares them, so that the database can read them",
    "unused_keys": "keys that open nothing any more",
}

FIELDS: Mapping[str, Mapping[str, str]] = {
    "enroll": ENROLLMENT,
    "unlock": {
        **USER,
        **DECISION,
        **LIVENESS,
    },
    "identify": {
        "user": "who it is, or null",
        "also": "others who would be accepted as well",
        **DECISION,
        **LIVENESS,
    },
    "compare": DECISION,
    "list": {
        "people": "of each: `user`, `enrolled`, `model`, `photos`, `quality`, `last_unlock`",
    },
    "photos": {
        **USER,
        "photos": "of each: `number`, `agrees`, `leave_one_out`; after --remove: "
        "`photos_in_template` in its place",
        "follows": "whether the template may learn",
        "learned": "of each learned face: `number`, `at`",
        "unlocks": "of each of the last unlocks whose face is kept: `number`, `at`",
        "not_me": "of each that was marked as somebody else's: `number`, `at`",
    },
    "not-me": {**USER, "at": "the time of the unlock"},
    "forget": USER,
    "rename": {**USER, "earlier": "the name before"},
    "camera list": {
        "best": "path of the camera that is taken, or null",
        "cameras": "of each: path, name, driver, bus, `kind`, `formats`",
        "left_out": "of each node: `path`, `reason`, `remedy`",
    },
    "camera test": {
        "camera": "as in camera list",
        "size_wh": "pixels of a frame",
        "wrong": "what is wrong, in words",
        "...": "what was measured: times, frames a second, brightness, faces",
    },
    "camera snapshot": {
        "camera": "as in camera list",
        "size_wh": "pixels of the frame",
        "out": "path of the picture, or null",
    },
    "vault init": {
        "place": "a path, or a URL without its password",
        "key": "the kind of key",
        "sealed": "how many people of an older vault were sealed",
    },
    "vault rotate": {**PEOPLE, "key": "the kind of key"},
    "vault status": VAULT,
    "vault verify": VAULT,
    "vault centroids": {"centroids": "on, off or pgvector"},
    "vault export": {**PEOPLE, "file": "its path"},
    "vault import": {
        "added": "names",
        "kept": "names that stayed as they were",
    },
    "log": {
        "entries": "of each: `at`, `kind`, `user`, `outcome`, `where`",
        "file": "with `--export`: the file",
        "exported": "with `--export`: how many entries were written",
    },
    "serve": {},
    "token create": {
        "name": "of the token",
        "scope": "what it may be used for",
        "token": "the secret, shown only now",
    },
    "token list": {
        "tokens": "of each: `name`, `scope`, `created`, `per_minute`, `per_day` (0: any)"
    },
    "token revoke": {"name": "of the token"},
    "demo": {
        "owner": "who was enrolled",
        "note": "that it is the small demo, or empty",
        "probes": "of each photo: `probe` and the fields of a decision",
        **REPORT,
    },
    "explore": {
        "faces": "how many",
        **PEOPLE,
        "left_out": "of each photo: `photo`, `why`",
        **NOTES,
        **REPORT,
    },
    "audit": {
        **PEOPLE,
        "photos": "how many",
        "photos_compared_with_themselves": "of people with one photo",
        "left_out": "of each photo: `photo`, `why`",
        "seed": "of all chance",
        "models": "of each: every change with its counts",
        "skipped": "models that were not there",
        **NOTES,
        "conclusion": "the audit in one sentence",
        "simulated_attacks": "with --attacks: of each kind, `passed` of `of`",
        **REPORT,
        "figures": "path of audit.json",
    },
    "calibrate": {
        "model": "the embedder",
        "calibration": "its name, or the path for a model of your own",
        **REPORT,
        "provenance": "what was measured, in words",
        **NOTES,
        "thresholds": "for each number of enrolled photos",
        "supported_fmr": "the lowest rate of strangers that the photos support, likewise",
    },
    "evaluate pairs": {**REPORT, "json": "path of the figures", **NOTES, "...": "the figures"},
    "evaluate folder": {**REPORT, "json": "path of the figures", **NOTES, "...": "the figures"},
    "evaluate attacks": {"json": "path of the scores", **REPORT, "...": "the rates and clips"},
    "evaluate record": {
        "clip": "its name",
        "frames": "how many",
        "fps": "frames a second",
        "manifest": "path of the list of clips",
    },
    "bulk embed": {
        "photos": "in the plans",
        "before": "of them, in shards that were there",
        "embedded": "now",
        "failed": "how many now, by outcome",
        "failures": "of the first 100: `photo`, `outcome`, `why`",
        "shards": "how many were written",
        "sealed": "whether they are encrypted",
        "out": "DEST",
    },
    "bulk enroll": {
        "enrolled": "how many",
        "people": "of each: `user`, `outcome` (enrolled, replaced, already_enrolled, refused),"
        " `photos`, `why`",
    },
    "train byol": {"model": "the name under which it was kept", **REPORT, "...": "the figures"},
    "models": {
        "models": "of each: `name`, `purpose`, `licence`, `sha256`, `state`, `where`",
        "added": "of each that can be added: `name`, `state`, `where`",
    },
    "models add": {"model": "its name", "...": "how far it is from its reference"},
    "doctor": {"checks": "of each: `what`, `state` (ok, advice or broken), `found`"},
    "completion": {"script": "the script, or the manual page"},
}
"""Command -> field -> what it holds. `...` stands for figures that the command's page lists."""
