"""Completion scripts for bash, zsh and fish, made from the commands."""

from __future__ import annotations

import re
import shlex

from mien.cli.reference.tree import Argument, Command

_BASH = r"""# completion of mien for bash; made by: mien completion bash
_mien() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local path="" word index
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        case "$path $word" in
            @PATHS) path="$path $word" ;;
        esac
    done
    case "$path $previous" in
@VALUES
    esac
    local words="" flags=""
    case "$path" in
@WORDS
    esac
    [[ $current == -* ]] && words=$flags
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _mien mien
"""


def completion_script(shell: str, root: Command) -> str:
    """The script of bash, zsh or fish; ValueError for another."""
    if shell == "bash":
        return _bash(root)
    if shell == "zsh":  # which runs bash's completion functions
        return f"autoload -U +X compinit bashcompinit\ncompinit\nbashcompinit\n{_bash(root)}"
    if shell == "fish":
        return _fish(root)
    raise ValueError(f"no completion for {shell!r}")


def _bash(root: Command) -> str:
    values, words, paths = [], [], []
    for command in root.walk():
        for path in _paths(command, root):
            if path:
                paths.append(f'"{path}"')
            values += [_bash_values(path, option) for option in command.options if option.value]
            said = [name for child in command.children for name in (child.path[-1], *child.aliases)]
            flags = [flag for option in command.options for flag in option.flags]
            said += [one for given in command.arguments if not given.flags for one in given.choices]
            words.append(f'        "{path}") words="{" ".join(said)}" flags="{" ".join(flags)}" ;;')
    script = _BASH.replace("@PATHS", " | ".join(paths)).replace("@WORDS", "\n".join(words))
    return script.replace("@VALUES", "\n".join(values))


def _bash_values(path: str, option: Argument) -> str:
    """After an option that takes a value: its choices, or files."""
    patterns = " | ".join(f'"{path} {flag}"' for flag in option.flags)
    words = " ".join(option.choices)
    reply = f'COMPREPLY=($(compgen -W "{words}" -- "$current"))' if words else "COMPREPLY=()"
    return f"        {patterns}) {reply}; return ;;"


def _paths(command: Command, root: Command) -> list[str]:
    """ " vault init" for each way to call it, by its name and its aliases."""
    paths = [""]
    level = root
    for name in command.path:
        level = next(child for child in level.children if child.path[-1] == name)
        paths = [f"{path} {one}" for path in paths for one in (name, *level.aliases)]
    return paths


def _names_on_the_way(command: Command, root: Command) -> list[str]:
    """For each word of the path its name and aliases."""
    level, names = root, []
    for name in command.path:
        level = next(child for child in level.children if child.path[-1] == name)
        names.append(" ".join((name, *level.aliases)))
    return names


def _fish(root: Command) -> str:
    lines = ["# completion of mien for fish; made by: mien completion fish"]
    for command in root.walk():
        names = [name for child in command.children for name in (child.path[-1], *child.aliases)]
        seen = [f"__fish_seen_subcommand_from {one}" for one in _names_on_the_way(command, root)]
        if names:
            not_yet = f"not __fish_seen_subcommand_from {' '.join(names)}"
            lines.append(f"complete -c mien -n {shlex.quote('; and '.join([*seen, not_yet]))} -f")
            for child in command.children:
                for name in (child.path[-1], *child.aliases):
                    when = "; and ".join([*seen, not_yet])
                    lines.append(_fish_line(when, f"-a {name}", child.words))
        when = "; and ".join(seen)
        lines += [_fish_option(when, option) for option in command.options]
    return "\n".join(lines) + "\n"


def _fish_option(when: str, option: Argument) -> str:
    flags = " ".join(
        f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags
    )
    if option.choices:
        flags += f" -x -a {shlex.quote(' '.join(option.choices))}"
    elif option.value:
        flags += " -r"
    return _fish_line(when, flags, option.words)


def _fish_line(when: str, what: str, words: str) -> str:
    condition = f" -n {shlex.quote(when)}" if when else ""
    return f"complete -c mien{condition} {what} -d {shlex.quote(_plain(words))}"


def _plain(words: str) -> str:
    return re.sub(r"\s+", " ", words.replace("%%", "%")).strip()
