"""`mien bulk embed` and `bulk enroll`."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence

from mien.bulk.cluster import expect_scheduler, run_on_cluster
from mien.bulk.enroll import EnrollRequest, enroll_shards
from mien.bulk.run import RunRequest, RunSummary, embed_folder, run_in_processes
from mien.bulk.shard_seal import key_path
from mien.cli.output import CommandResult
from mien.cli.progress import bar, count_bar
from mien.cli.user_vault import open_user_vault
from mien.errors import ExitCode, Outcome, UsageError, quote, quote_path
from mien.settings import load_settings, usable_cores
from mien.vault.bulk_enrollment import EnrolledPerson
from mien.vault.crypto.passphrase import passphrase_prompt

TOLD = 10  # failures that are printed; --json has more, the shards all
PROMPT = "passphrase of the shards"


def embed(args: Namespace) -> CommandResult:
    """args.source, out, model, engine, workers, scheduler, resume, plain, quick, photo_limit."""
    if args.scheduler is not None and args.workers is not None:
        raise UsageError("--workers is for this machine, --scheduler has its own; pass one of them")
    if not args.photo_limit > 0:
        raise UsageError("--photo-limit must be more than 0 seconds")
    settings = load_settings(engine=args.engine)
    workers = usable_cores() if args.workers is None else args.workers
    engine = run_in_processes(workers)
    if args.scheduler is not None:
        seal = not args.plain
        workers = expect_scheduler(
            args.scheduler, source=args.source, destination=args.out, seal=seal
        )
        engine = run_on_cluster(args.scheduler)
    request = RunRequest(
        args.source,
        args.out,
        args.model,
        carefully=not args.quick,
        seal=not args.plain,
        resume=args.resume,
        workers=workers,
        limit_s=args.photo_limit,
    )
    summary = embed_folder(
        request,
        settings=settings,
        engine=engine,
        ask_passphrase=passphrase_prompt(settings.passphrase_file, PROMPT),
        on_other_machines=args.scheduler is not None,
        progress=lambda counts, total: count_bar(counts, total, "embedding photos"),
    )
    where = None
    if not args.plain and settings.vault_key == "file":
        where = str(key_path(settings))
    return _embedded(args, summary, where)


def _embedded(args: Namespace, summary: RunSummary, key_file: str | None) -> CommandResult:
    done = sum(summary.outcomes.values())
    embedded = summary.outcomes[Outcome.OK.value]
    lines = [f"{embedded:,} of {done:,} photos embedded, {summary.shards:,} shards written"]
    if summary.before == summary.photos:
        lines = [f"nothing to do: the shards have all {summary.photos:,} photos"]
    elif summary.before:
        lines.append(f"{summary.before:,} of {summary.photos:,} photos were done before")
    failed = Counter({word: n for word, n in summary.outcomes.items() if word != Outcome.OK.value})
    lines += [f"  {count:,} {word.replace('_', ' ')}" for word, count in failed.most_common()]
    lines += [f"  {quote_path(name)}: {why}" for name, _, why in summary.failures[:TOLD]]
    if sum(failed.values()) > TOLD:
        lines.append("  ... the shards have the reason for each photo")
    if args.plain:
        lines.append("the shards are not encrypted: whoever reads them can recognise the people")
    elif key_file is not None:
        lines.append(f"sealed: only the key in {key_file} opens them; keep a copy of it")
    outcome = _outcome_of(summary)
    data: dict[str, object] = {
        "outcome": "embedded" if outcome is Outcome.OK else outcome.value,
        "exit_code": int(outcome.exit_code),
        "photos": summary.photos,
        "before": summary.before,
        "embedded": embedded,
        "failed": dict(failed),
        "failures": [
            {"photo": name, "outcome": what, "why": why} for name, what, why in summary.failures
        ],
        "shards": summary.shards,
        "sealed": not args.plain,
        "out": args.out,
    }
    return CommandResult(ExitCode(outcome.exit_code), tuple(lines), data)


def _outcome_of(summary: RunSummary) -> Outcome:
    """OK if any photo was embedded or was done before; else the most common failure."""
    if summary.before or summary.outcomes[Outcome.OK.value] or not summary.outcomes:
        return Outcome.OK
    return Outcome(summary.outcomes.most_common(1)[0][0])


def enroll(args: Namespace) -> CommandResult:
    """args.shards, model, engine, calibration, keep, replace, plain."""
    settings = load_settings(engine=args.engine, calibration=args.calibration)
    request = EnrollRequest(args.shards, args.model, accept_plain=args.plain, replace=args.replace)
    with open_user_vault(settings, create=True) as vault:
        people = enroll_shards(
            request,
            settings=settings,
            vault=vault,
            ask_passphrase=passphrase_prompt(settings.passphrase_file, PROMPT),
            progress=lambda photos: bar(photos, "reading shards"),
        )
    return _enrolled(people, keep=args.keep)


def _enrolled(people: Sequence[EnrolledPerson], *, keep: bool) -> CommandResult:
    good = {"enrolled", "replaced"} | ({"already_enrolled"} if keep else set())
    failed = [one for one in people if one.outcome not in good]
    done = sum(one.outcome in ("enrolled", "replaced") for one in people)
    lines = [f"enrolled {done:,} of {len(people):,} people"]
    lines += [f"  not enrolled: {quote(one.user)}: {one.why}" for one in failed[:TOLD]]
    if len(failed) > TOLD:
        lines.append(f"  ... and {len(failed) - TOLD:,} more; --json has all")
    if done:
        lines.append("look-alikes among them were not searched for, as mien enroll does")
    code = ExitCode.USAGE if failed else ExitCode.OK
    data: dict[str, object] = {
        "outcome": Outcome.USAGE.value if failed else "enrolled",
        "exit_code": int(code),
        "enrolled": done,
        "look_alikes_searched": False,
        "people": [
            {"user": one.user, "outcome": one.outcome, "photos": one.photos, "why": one.why}
            for one in people
        ],
    }
    return CommandResult(code, tuple(lines), data)
