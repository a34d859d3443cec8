"""What an audit found, in one sentence."""

from __future__ import annotations

from mien.lab.audit.report import describe_share
from mien.lab.audit.run import Audit
from mien.lab.audit.statistics import ChangeFigures, Share
from mien.lab.audit.steps import MIRROR, STEPS


def conclusion(audit: Audit) -> str:
    """Of the first model: the mirror image, the change that costs most, and the strangers."""
    one = audit.models[0]
    mirrored = one.steps[STEPS.index(MIRROR)]
    worst = min(range(len(STEPS)), key=lambda at: (_owner(one.steps[at]).value or 0.0, at))
    strangers = [figures.impostor for figures in one.steps]
    tried = sum(share.tried for share in strangers)
    accepted = sum(share.accepted for share in strangers)
    alike = _owner(mirrored).accepted == _owner(one.unchanged).accepted
    mirror = (
        "a mirrored face is the same face" if alike else "a mirrored face is not always accepted"
    )
    step = STEPS[worst]
    most = (
        f"the change that costs most is {step.kind.title.lower()}, {step.amount}, with the owner"
        f" accepted in {describe_share(_owner(one.steps[worst]))}"
    )
    if not tried:
        return f"in short: {mirror}; {most}; there was no stranger to try."
    let_in = f"strangers were accepted in {describe_share(Share(accepted, tried))} tries"
    return f"in short: {mirror}; {most}; {let_in}."


def _owner(figures: ChangeFigures) -> Share:
    """Against the other photos; against the photo itself only where there is nothing else."""
    return figures.genuine if figures.genuine.tried else figures.genuine_itself
