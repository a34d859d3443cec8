"""`mien train byol`: train, measure before and after, and keep the net if it is no worse."""

from __future__ import annotations

import dataclasses
import time
from argparse import Namespace
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from mien import __version__
from mien.cli.output import CommandResult
from mien.cli.progress import StepLines, bar, print_progress
from mien.errors import ExitCode, TrainingRefused, UsageError, missing_extra, quote
from mien.lab.calibrate import MIN_PEOPLE, calibrate_embeddings, write_calibration
from mien.lab.labels import display_name
from mien.lab.training.crops import FaceCrops, cut_faces, find_training_photos
from mien.lab.training.figures import (
    FMR,
    NetEmbeddings,
    changed_similarities,
    compare_methods,
    fnmr_change,
)
from mien.lab.training.report import TrainingFindings, summary_lines, training_data, write_training
from mien.media.photo_paths import find_people_photos
from mien.models import find_embedder
from mien.models.added import calibration_dir, state_of_added
from mien.models.state_dict import unpack_state
from mien.results import ByteArray, FloatArray
from mien.settings import Settings, load_settings

try:
    from mien.nets.inception_resnet_v1 import DIMS, InceptionResnetV1
    from mien.train.distributed import Group, joined_group, pick_device
    from mien.train.encoder import (
        FeatureEncoder,
        Part,
        arrays_of,
        as_tensor,
        embed,
        net_of,
        new_net,
        refresh_batch_norms,
        unfold_batch_norms,
    )
    from mien.train.export import store_trained, trained_model_id
    from mien.train.guards import check_fnmr, check_other_people, check_weights
    from mien.train.log import StepRecord, read_log
    from mien.train.trainer import Trainer, TrainSettings
    from mien.train.views import ViewSettings
except ModuleNotFoundError as error:
    raise missing_extra("training needs torch", "train") from error

SCRATCH = "scratch"
RATES = {SCRATCH: 1e-3}
FINE_TUNING_RATE = 3e-5
HEADS_FIRST = 50  # steps; from scratch the net learns from the first one
VIEW_SIZES = range(80, 161)  # InceptionResnetV1 reduces less than 75 pixels to nothing
BOOTSTRAP_SEED = 20200613  # the month in which BYOL was published


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """A net's embeddings and what the audit's changes do to them."""

    embeddings: NetEmbeddings
    changed: tuple[tuple[str, str, float], ...]


def byol(args: Namespace) -> CommandResult:
    """The arguments are those of `mien.cli.train`. Raises TrainingRefused for a net not kept."""
    options, settings = _train_settings(args), load_settings()
    with joined_group(device := pick_device(args.device)) as group:
        trained, tested = _crops(args, settings)
        net = _starting_net(args.start, options.seed, settings).to(device)
        before = _measure(net, trained, tested, options.seed) if group.is_first else None
        _train(net, trained, options, args, device, group)
        if before is None:
            return CommandResult(ExitCode.OK, (), {"outcome": "trained", "exit_code": 0})
        after = _measure(net.eval(), trained, tested, options.seed)
    return _finish(args, options, settings, net, (before, after), tested)


def _train_settings(args: Namespace) -> TrainSettings:
    scratch = args.start == SCRATCH
    if args.view_size not in VIEW_SIZES:
        raise UsageError(f"--view-size is 80 to 160, not {args.view_size}; give another")
    rate = args.lr if args.lr is not None else RATES.get(args.start, FINE_TUNING_RATE)
    if args.steps < 1 or args.batch < 2 or not 0 < rate < 1 or args.seed < 0:
        raise UsageError("--steps is 1 or more, --batch 2 or more, --lr over 0 and under 1")
    part: Part = args.part or ("all" if scratch else "last")
    if scratch and part == "last":
        raise UsageError("from scratch all layers must be trained; leave out --part")
    return TrainSettings(
        steps=args.steps,
        batch=args.batch,
        rate=rate,
        seed=args.seed,
        part=part,
        heads_first=0 if scratch else min(HEADS_FIRST, args.steps // 4),
        precision=args.precision,
        start=args.start,
        views=ViewSettings(side=args.view_size),
    )


def _crops(args: Namespace, settings: Settings) -> tuple[FaceCrops, FaceCrops]:
    """Of the training's and the evaluation's photos. UsageError if they share a person."""
    found = []
    for label, photos in (
        ("faces to train on", find_training_photos(args.folder)),
        ("faces to evaluate", find_people_photos(args.eval)),
    ):
        print_progress(f"{label}: {len(photos):,} photos")
        found.append(
            cut_faces(
                photos,
                settings=settings,
                choice=args.face,
                progress=lambda items, label=label: bar(items, label),  # type: ignore[misc]
            )
        )
    trained, tested = found
    check_other_people(trained.identities, tested.identities)
    if len(trained.pixels) < args.batch:
        raise UsageError(
            f"{len(trained.pixels)} faces to train on are fewer than --batch {args.batch}; "
            "give more photos or a smaller batch"
        )
    people = len(set(tested.names))
    if people < MIN_PEOPLE:
        raise UsageError(
            f"--eval needs faces of at least {MIN_PEOPLE} people, here are {people}; add a "
            "sub-folder for each of some more"
        )
    return trained, tested


def _starting_net(start: str, seed: int, settings: Settings) -> InceptionResnetV1:
    if start == SCRATCH:
        return new_net(seed)
    row = find_embedder(start, settings.data_dir)
    if row.dims != DIMS or not row.model.is_added:
        raise UsageError(
            f"{quote(start)} cannot be trained; give --from facenet-casia-webface or scratch"
        )
    return net_of(unpack_state(state_of_added(row.model, settings.data_dir)))


def _measure(net: InceptionResnetV1, trained: FaceCrops, tested: FaceCrops, seed: int) -> _Side:
    def embed_crops(crops: ByteArray) -> tuple[FloatArray, FloatArray]:
        return embed(net, crops)

    # one face of each person; all of them where nobody is named
    first = np.unique(trained.names, return_index=True)[1]
    rows = np.arange(len(trained.pixels)) if trained.names[0] == "" else np.sort(first)
    strangers = embed_crops(trained.pixels[rows[:400]])[0]
    plain, mirrored = embed_crops(tested.pixels)
    changed = changed_similarities(tested.pixels, embed_crops, seed=seed)
    return _Side(NetEmbeddings(plain, mirrored, strangers), changed)


def _train(
    net: InceptionResnetV1,
    trained: FaceCrops,
    options: TrainSettings,
    args: Namespace,
    device: str,
    group: Group,
) -> None:
    """Train the net in place. Raises TrainingRefused."""
    crops = as_tensor(trained.pixels).to(device)
    if args.start != SCRATCH:
        unfold_batch_norms(net, crops)
    lines = StepLines(options.steps, clock=time.monotonic)

    def tell(record: StepRecord) -> None:
        words = f"loss {record.loss:.3f}, spread {record.spread:.2f}"
        if group.is_first:
            lines.show(record.step, options.batch, words)

    Trainer(
        FeatureEncoder(net, options.part),
        crops,
        options,
        dims=DIMS,
        folder=args.out,
        clock=time.monotonic,
        tell=tell,
        device=device,
        group=group,
    ).run(resume=args.resume)
    if options.part == "all":
        refresh_batch_norms(net, crops)
    check_weights(arrays_of(net))


def _finish(
    args: Namespace,
    options: TrainSettings,
    settings: Settings,
    net: InceptionResnetV1,
    sides: tuple[_Side, _Side],
    tested: FaceCrops,
) -> CommandResult:
    """Write the report, and keep the net unless it is refused."""
    found = _findings(args, options, sides, tested)
    change, refusal = found.change, None
    try:
        check_fnmr(change.share_worse, change.before, change.after, FMR)
    except TrainingRefused as error:
        refusal = error
        found = dataclasses.replace(found, verdict=str(error))
    report = write_training(found, args.out)
    if refusal is not None:
        raise TrainingRefused(f"{refusal}; the report is {str(report)!r}") from refusal
    name = _keep(args, settings, net, sides[1].embeddings, tested, found)
    lines = (
        f"kept as {name}, calibrated; use it with --model {name}",
        *(f"  {line}" for line in summary_lines(found)),
        f"report: {report}",
    )
    data = {"outcome": "trained", "exit_code": 0, "model": name, "report": str(report)}
    return CommandResult(ExitCode.OK, lines, {**data, **training_data(found)})


def _findings(
    args: Namespace, options: TrainSettings, sides: tuple[_Side, _Side], tested: FaceCrops
) -> TrainingFindings:
    before, after = (
        compare_methods(side.embeddings, tested.person, seed=BOOTSTRAP_SEED) for side in sides
    )
    folder = display_name(args.folder.resolve().name)
    return TrainingFindings(
        title=f"mien train byol: {options.start}, {options.steps} steps on {folder}",
        footer=f"mien {__version__}, seed {options.seed}, {datetime.now(timezone.utc):%Y-%m-%d}",
        verdict="The trained net was kept: it refuses no more true pairs than before.",
        steps=[(one.step, one.loss, one.spread) for one in read_log(args.out)],
        embeddings=(sides[0].embeddings, sides[1].embeddings),
        before=before,
        after=after,
        change=fnmr_change(before[0], after[0], seed=BOOTSTRAP_SEED),
        changes=tuple(
            (title, amount, was, now)
            for (title, amount, was), (_, _, now) in zip(
                sides[0].changed, sides[1].changed, strict=True
            )
        ),
        crops=tested.pixels,
        names=tested.names,
    )


def _keep(
    args: Namespace,
    settings: Settings,
    net: InceptionResnetV1,
    embeddings: NetEmbeddings,
    tested: FaceCrops,
    found: TrainingFindings,
) -> str:
    """Calibrate and store the net. Gives its name."""
    arrays, today = arrays_of(net), datetime.now(timezone.utc).date()
    source = f"{args.eval.name}, {today.isoformat()}"
    model = trained_model_id(arrays)
    table, packed = calibrate_embeddings(embeddings.plain, tested.person, model, source)
    licence = (
        "yours, as your photos allow"
        if args.start == SCRATCH
        else find_embedder(args.start, settings.data_dir).model.licence
    )
    store_trained(
        arrays,
        crops=tested.pixels,
        expected=embeddings.plain,
        licence=f"{licence}; trained by you",
        record={"start": args.start, "date": today.isoformat(), "figures": training_data(found)},
        settings=settings,
        today=today,
    )
    write_calibration(calibration_dir(settings.data_dir), table, packed)
    return model.name
