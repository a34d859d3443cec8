"""The command line: parse, call one function, print, exit with the outcome's code."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from mien import __version__
from mien.cli import audit as audit_commands
from mien.cli import door as door_commands
from mien.cli import evaluate as evaluate_commands
from mien.cli import models as models_commands
from mien.cli import serve as serve_commands
from mien.cli import vault as vault_commands
from mien.cli.door import CommandResult
from mien.errors import ExitCode, MienError, UsageError
from mien.settings import ENGINES, KEY_KINDS

Verbs: TypeAlias = "argparse._SubParsersAction[_Parser]"

EXIT_CODES = """exit codes:
  0 unlocked, or done         4 several faces         8 vault damaged
  1 not the owner             5 unreadable image      9 not a live person
  2 usage                     6 not enrolled         10 model missing or altered
  3 no face                   7 too many attempts    11 key unavailable
                                                     12 camera unavailable"""

# by the command: whether it was done or not, nobody can say at that moment
INTERRUPTED = {
    "enroll": "; mien list shows who is enrolled",
    "forget": "; mien list shows who is enrolled",
    "unlock": "; a try that was begun counts as a failure",
    "identify": "; a try that was begun counts as a failure",
    "vault": "; mien vault status and mien log show what was done",
    "token": "; mien token list shows what was done",
    "models": "; mien models shows what is there",
}

EXAMPLES = """examples:
  mien enroll anna photos/anna/*.jpg     remember a face
  mien unlock anna probe.jpg             is it anna? exit code 0 means yes
  mien demo                              the whole story, with pictures

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code; prints no traceback for an expected failure."""
    # numpy's own threads would spin beside the engine's; what numpy multiplies here is small
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    given = sys.argv[1:] if arguments is None else arguments
    args = argparse.Namespace(json="--json" in given)
    try:
        parser = build_parser()
        if not given:
            parser.print_help(sys.stderr)
            return int(ExitCode.USAGE)
        args = parser.parse_args(given)
        answer: CommandResult = args.run(args)
    except MienError as error:
        return _refuse(args, error)
    except KeyboardInterrupt:
        verb = getattr(args, "prog", "mien -").split()[1]
        return _refuse(args, MienError("interrupted" + INTERRUPTED.get(verb, "")))
    except MemoryError:
        return _refuse(args, MienError("out of memory; close other programs and try again"))
    return _tell(answer.data if args.json else answer.lines, answer.exit_code)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, like every other failure."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see: {self.prog} --help")


def build_parser() -> _Parser:
    """All commands and their options."""
    parser = _Parser(
        prog="mien",
        description="Face unlock that you can trust. Photos never leave this machine.",
        epilog=EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mien {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_door(verbs)
    _add_vault(verbs)
    _add_service(verbs)
    _add_lab(verbs)
    _add_evaluate(verbs)
    models = _verb(
        verbs, "models", models_commands.models, "the models: licence, hash, where found"
    )
    add = _verb(
        models.add_subparsers(metavar="add"),
        "add",
        models_commands.add,
        "convert and keep a model that pip does not bring",
    )
    add.add_argument("model", metavar="MODEL")
    add.add_argument("--file", type=Path, metavar="PATH", help="the published weights")
    _verb(verbs, "doctor", door_commands.doctor, "check everything and say what to do")
    return parser


def _add_door(verbs: Verbs) -> None:
    enroll = _verb(verbs, "enroll", door_commands.enroll, "remember a face from photos")
    _model(enroll)
    enroll.add_argument("name", metavar="NAME")
    enroll.add_argument("photos", nargs="*", metavar="PHOTO", help="files, folders, quoted globs")
    _frames(enroll)
    taken = enroll.add_mutually_exclusive_group()
    taken.add_argument("--add", action="store_true", help="keep the photos enrolled before")
    taken.add_argument("--replace", action="store_true", help="forget the photos enrolled before")

    unlock = _verb(verbs, "unlock", door_commands.unlock, "does the photo show NAME?")
    _model(unlock, default=None)
    unlock.add_argument(
        "--target-fmr",
        type=float,
        metavar="SHARE",
        help="of strangers that may pass; default: 1e-4, one in ten thousand",
    )
    unlock.add_argument("name", metavar="NAME")
    unlock.add_argument("photo", nargs="?", metavar="PHOTO")
    _frames(unlock)

    identify = _verb(verbs, "identify", door_commands.identify, "who of the enrolled is it?")
    _model(identify)
    identify.add_argument("photo", metavar="PHOTO")

    compare = _verb(verbs, "compare", door_commands.compare, "do two photos show one person?")
    _model(compare)
    compare.add_argument("a", metavar="A")
    compare.add_argument("b", metavar="B")

    _verb(verbs, "list", door_commands.people, "who is enrolled")

    forget = _verb(verbs, "forget", door_commands.forget, "remove a person's template")
    forget.add_argument("name", metavar="NAME")


def _add_vault(verbs: Verbs) -> None:
    vault = verbs.add_parser("vault", help="where the faces lie: key, state, moving house")
    verbs_of_vault = vault.add_subparsers(metavar="WHAT", required=True)
    init = _verb(verbs_of_vault, "init", vault_commands.init, "make the vault, or seal an old one")
    rotate = _verb(
        verbs_of_vault, "rotate", vault_commands.rotate, "seal everything under a new key"
    )
    for verb in (init, rotate):
        verb.add_argument("--key", choices=KEY_KINDS, help="where the key goes")
    rotate.add_argument(
        "--new-passphrase-file", type=Path, metavar="PATH", help="mode 600; default: to be asked"
    )
    rotate.add_argument(
        "--accept-log", action="store_true", help="go on after the log was tampered with"
    )
    _verb(verbs_of_vault, "status", vault_commands.status, "where it is, and its key")
    verify = _verb(verbs_of_vault, "verify", vault_commands.verify, "check every byte of it")
    verify.add_argument(
        "--accept", action="store_true", help="an older copy was put there on purpose"
    )
    gallery = _verb(
        verbs_of_vault, "gallery", vault_commands.gallery, "make mien identify quick among many"
    )
    gallery.add_argument("state", choices=("on", "off"))
    export = _verb(verbs_of_vault, "export", vault_commands.export, "everybody into one file")
    bring_in = _verb(verbs_of_vault, "import", vault_commands.bring_in, "people from such a file")
    for verb in (export, bring_in):
        verb.add_argument("file", type=Path, metavar="FILE")
        verb.add_argument(
            "--passphrase-file", type=Path, metavar="PATH", help="mode 600; default: to be asked"
        )
    taken = bring_in.add_mutually_exclusive_group()
    taken.add_argument("--replace", action="store_true", help="a name that is taken: the file's")
    taken.add_argument("--keep", action="store_true", help="a name that is taken: the vault's")
    log = _verb(verbs, "log", vault_commands.log, "what happened at the door")
    log.add_argument("--verify", action="store_true", help="say that the chain checks out")


def _add_service(verbs: Verbs) -> None:
    serve = _verb(verbs, "serve", serve_commands.serve, "a page and an HTTP service")
    serve.add_argument("--engine", choices=ENGINES, help="default: MIEN_ENGINE, or onnxruntime")
    serve.add_argument("--host", default="127.0.0.1", help="default: this machine alone")
    serve.add_argument("--port", type=int, default=8437, help="default: 8437; 0 takes any")
    serve.add_argument("--tls-cert", type=Path, metavar="PEM")
    serve.add_argument("--tls-key", type=Path, metavar="PEM")
    serve.add_argument(
        "--name",
        action="append",
        metavar="HOST",
        help="also reached by this name, HOST or HOST:PORT",
    )
    serve.add_argument("--insecure", action="store_true", help="beyond this machine without TLS")
    serve.add_argument(
        "--no-page", action="store_true", help="the HTTP service alone; prints no token"
    )
    token = verbs.add_parser("token", help="who may ask the service for what")
    of_token = token.add_subparsers(metavar="WHAT", required=True)
    create = _verb(of_token, "create", serve_commands.token_create, "a new token, shown once")
    create.add_argument("token", metavar="NAME")
    create.add_argument(
        "--scope", choices=("unlock", "enroll", "admin"), default="unlock", help="default: unlock"
    )
    _verb(of_token, "list", serve_commands.token_list, "names and scopes")
    revoke = _verb(of_token, "revoke", serve_commands.token_revoke, "take a token back")
    revoke.add_argument("token", metavar="NAME")


def _add_lab(verbs: Verbs) -> None:
    demo = _verb(verbs, "demo", door_commands.demo, "the whole article on a folder of people")
    _model(demo)
    demo.add_argument("--photos", type=Path, metavar="DIR", help="a folder per person")
    demo.add_argument("--owner", metavar="NAME", help="whose door it is")
    _out(demo, "mien-report")

    explore = _verb(verbs, "explore", door_commands.explore, "faces, heat map and map of a folder")
    _model(explore)
    explore.add_argument("folder", type=Path, metavar="DIR", help="a folder per person")
    _out(explore, "mien-explore")

    audit = _verb(verbs, "audit", audit_commands.audit, "how much a photo may change, in figures")
    audit.add_argument("folder", type=Path, metavar="DIR", help="a folder per person")
    audit.add_argument("--model", action="append", metavar="MODEL", help="may be given again")
    _out(audit, "mien-audit")


def _add_evaluate(verbs: Verbs) -> None:
    evaluate = verbs.add_parser("evaluate", help="error rates of a model on your photos")
    kinds = evaluate.add_subparsers(metavar="KIND", required=True)
    pairs = _verb(kinds, "pairs", evaluate_commands.evaluate_pairs, "an LFW-style protocol")
    pairs.add_argument("--pairs", type=Path, required=True, metavar="FILE", help="the pairs file")
    pairs.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="a folder per person"
    )
    folder = _verb(
        kinds, "folder", evaluate_commands.evaluate_folder, "all pairs of a folder of people"
    )
    folder.add_argument("folder", type=Path, metavar="DIR", help="a folder per person")
    folder.add_argument(
        "--face", choices=("largest", "centre"), default="largest", help="which face counts"
    )
    for kind in (pairs, folder):
        _model(kind)
        kind.add_argument("--workers", type=int, metavar="N", help="processes; default: the cores")
        kind.add_argument(
            "--flip-average",
            choices=tuple(evaluate_commands.FLIP),
            default="both",
            help="average with the mirrored crop's embedding; default: both ways",
        )
        kind.add_argument("--no-cache", action="store_true", help="keep no embeddings")
        _out(kind, "mien-evaluation")


def _verb(
    verbs: Verbs,
    name: str,
    run: Callable[[argparse.Namespace], CommandResult],
    words: str,
) -> _Parser:
    verb = verbs.add_parser(
        name,
        help=words,
        description=words[0].upper() + words[1:] + ("" if words.endswith("?") else "."),
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(run=run, prog=verb.prog)
    return verb


def _model(verb: _Parser, default: str | None = door_commands.DEFAULT_MODEL) -> None:
    words = f"an embedder of mien models; default: {default or 'the one that enrolled NAME'}"
    verb.add_argument("--model", default=default, metavar="MODEL", help=words)
    verb.add_argument("--engine", choices=ENGINES, help="default: MIEN_ENGINE, or onnxruntime")


def _frames(verb: _Parser) -> None:
    verb.add_argument(
        "--camera", nargs="?", const="0", metavar="DEVICE", help="instead of a photo; default: 0"
    )
    verb.add_argument(
        "--frames", metavar="FILE", help="a film, a folder of pictures, or - for a pipe"
    )
    verb.add_argument(
        "--timeout", type=float, default=10.0, metavar="S", help="how long to look; default: 10"
    )


def _out(verb: _Parser, folder: str) -> None:
    verb.add_argument(
        "--out", type=Path, default=Path(folder), metavar="DIR", help=f"default: {folder}"
    )


def _refuse(args: argparse.Namespace, error: MienError) -> int:
    """A failure in one line on standard error, and as JSON on standard output if asked for."""
    code = ExitCode(error.exit_code)
    _complain(str(error))
    if args.json:
        data = {"outcome": code.name.lower(), "exit_code": int(code), "error": str(error)}
        return _tell(data, code)
    return int(code)


def _tell(what: Mapping[str, object] | Sequence[str], code: ExitCode) -> int:
    """Print the answer. A reader who has left changes nothing; an answer that got lost is a no."""
    try:
        _print(what)
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _drop_output()
        _complain(f"cannot write the answer: {error.strerror}; send it to another place")
        return int(ExitCode.NOT_THE_OWNER)
    return int(code)


def _complain(words: str) -> None:
    if sys.stderr is not None:  # None where the caller closed it: print would then take stdout
        print(f"mien: {words}", file=sys.stderr)


def _drop_output() -> None:
    """Python flushes standard output once more at its end, and would complain once more."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _print(what: Mapping[str, object] | Sequence[str]) -> None:
    if sys.stdout is None:  # the caller closed it, and wants the exit code alone
        return
    text = json.dumps(what, ensure_ascii=False) if isinstance(what, Mapping) else "\n".join(what)
    # a terminal of another encoding must not turn an answer into a traceback
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
