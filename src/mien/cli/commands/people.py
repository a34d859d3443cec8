"""`mien list`, `mien photos`, `mien rename` and `mien forget`."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, tzinfo

from mien.app.kept_faces import kept_times_of
from mien.app.people_summary import (
    PersonSummary,
    StoredPhoto,
    list_photos_of,
    remove_photo,
    summarise_people,
)
from mien.app.verify import forget as forget_person
from mien.cli.commands import kept_faces
from mien.cli.output import CommandResult
from mien.cli.questions import ask_yes
from mien.cli.user_vault import open_user_vault
from mien.errors import ExitCode, UsageError
from mien.settings import load_settings
from mien.vault import check_user_name
from mien.vault.integrity.audit_log import local_time
from mien.vault.vault import Vault


def list_people(args: Namespace) -> CommandResult:
    """List the enrolled people. args: nothing."""
    settings = load_settings()
    with open_user_vault(settings, create=False) as vault:
        people = summarise_people(vault, settings)
    zone = datetime.now().astimezone().tzinfo
    lines = [_describe_person(person, zone) for person in people]
    data: dict[str, object] = {
        "outcome": "listed",
        "exit_code": 0,
        "people": [
            {
                "user": person.user,
                "enrolled": person.enrolled,
                "model": person.model,
                "photos": person.photos,
                "quality": person.quality,
                "last_unlock": person.last_unlock or None,
            }
            for person in people
        ],
    }
    nobody = ("nobody is enrolled; run: mien enroll NAME PHOTO...",)
    return CommandResult(ExitCode.OK, tuple(lines) or nobody, data)


def _describe_person(person: PersonSummary, zone: tzinfo | None) -> str:
    words = f"{person.user}  enrolled {local_time(person.enrolled, zone)} with {person.model}"
    if person.photos is not None:
        words += f"  {person.photos} photo{'s' * (person.photos != 1)}, {person.quality}"
    last = local_time(person.last_unlock, zone) if person.last_unlock else "never"
    return f"{words}  last unlock {last}"


def photos(args: Namespace) -> CommandResult:
    """List what a template is made of, and what is kept beside it, or change it.

    args: name, yes; and one of remove (a number or None), follow ("on", "off" or None) and
    undo_learned (a number, 0 for all, or None).
    """
    settings = load_settings()
    with open_user_vault(settings, create=False) as vault:
        if args.remove is not None:
            return _remove_photo(args, vault)
        if args.follow is not None or args.undo_learned is not None:
            return kept_faces.change_learning(args, vault, settings)
        found = list_photos_of(args.name, vault, settings)
        kept = kept_times_of(args.name, vault)
    zone = datetime.now().astimezone().tzinfo
    lines = tuple(f"photo {one.number}: {_describe_agreement(one)}" for one in found)
    lines += kept_faces.describe_kept(kept, zone)
    data: dict[str, object] = {
        "outcome": "listed",
        "exit_code": 0,
        "user": check_user_name(args.name),
        "photos": [
            {
                "number": one.number,
                "agrees": one.agrees,
                "leave_one_out": None if one.similarity is None else round(one.similarity, 6),
            }
            for one in found
        ],
        "follows": kept.follows,
        "learned": kept_faces.numbered(kept.learned),
        "unlocks": kept_faces.numbered(kept.unlocks),
        "not_me": kept_faces.numbered(kept.marked),
    }
    return CommandResult(ExitCode.OK, lines, data)


def _describe_agreement(photo: StoredPhoto) -> str:
    if photo.similarity is None:
        return "the only one"
    return f"{photo.agrees}, similarity to the others {photo.similarity:.3f}"


def _remove_photo(args: Namespace, vault: Vault) -> CommandResult:
    question = f"Remove photo {args.remove} of {args.name}? It cannot be restored."
    if not args.yes and not ask_yes(question, default=True):
        raise UsageError("no photo was removed; to remove without asking: --yes")
    left = remove_photo(args.name, args.remove, vault)
    user = check_user_name(args.name)
    data: dict[str, object] = {
        "outcome": "photo_removed",
        "exit_code": 0,
        "user": user,
        "photos_in_template": left,
    }
    words = f"removed photo {args.remove} of {user}; {left} photo{'s' * (left != 1)} left"
    return CommandResult(ExitCode.OK, (words,), data)


def rename(args: Namespace) -> CommandResult:
    """Give a person another name. args: name, new_name."""
    with open_user_vault(load_settings(), create=False) as vault:
        new = vault.rename(args.name, args.new_name)
    data: dict[str, object] = {
        "outcome": "renamed",
        "exit_code": 0,
        "user": new,
        "earlier": check_user_name(args.name),
    }
    return CommandResult(ExitCode.OK, (f"renamed {args.name} to {new}",), data)


def forget(args: Namespace) -> CommandResult:
    """Delete a template; at a terminal only after a yes. args: name, yes."""
    with open_user_vault(load_settings(), create=False) as vault:
        if not args.yes and not _is_confirmed(args.name, enrolled=vault.holds(args.name)):
            raise UsageError(f"{args.name} was not forgotten; to forget without asking: --yes")
        user = forget_person(args.name, vault)
    data: dict[str, object] = {"outcome": "forgotten", "exit_code": 0, "user": user}
    return CommandResult(ExitCode.OK, (f"forgot {user}",), data)


def _is_confirmed(name: str, *, enrolled: bool) -> bool:
    """Ask at the terminal. A script is not asked, and neither is who names nobody enrolled."""
    return not enrolled or ask_yes(f"Forget {name}? The template cannot be restored.", default=True)
