"""The library's surface: a vault of people, and functions on photos without a vault."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

from mien.app.enroll import Mode, analyse_photos, enroll
from mien.app.enrollment import Enrollment
from mien.app.identify import Identification, identify
from mien.app.pipeline import Pipeline, load_pipelines, open_pipeline
from mien.app.verify import PipelineOf, compare_images, forget, verify
from mien.media.image_file import ImageSource, read_door_photo, read_image
from mien.media.photo_paths import find_photos
from mien.results import Decision, FloatArray
from mien.settings import DEFAULT_MODEL, Settings, load_settings
from mien.vault.crypto.passphrase import passphrase_prompt
from mien.vault.open import no_prompt
from mien.vault.open import open_vault as open_sealed_vault
from mien.vault.vault import Vault


class FaceVault:
    """The enrolled people of one vault; may be used from several threads.

        with open_vault() as vault:
            vault.enroll("anna", ["1.jpg", "2.jpg", "3.jpg"])
            if vault.verify("anna", "probe.jpg"):
                print("it is anna")

    A photo is a path, bytes, a binary file, a PIL image or an array (H, W, 3) uint8 RGB. The
    models are loaded by the first call that needs them. Every method raises VaultDamaged and
    KeyUnavailable, and UsageError for a name that cannot be one.
    """

    def __init__(self, vault: Vault, pipeline_of: PipelineOf) -> None:
        self._vault = vault
        self._pipeline_of = pipeline_of

    def __repr__(self) -> str:
        return f"FaceVault({self._vault.place!r})"

    def enroll(
        self, name: str, photos: Sequence[ImageSource] | ImageSource, *, mode: Mode = "new"
    ) -> Enrollment:
        """Enroll a person from photos, or from one folder of them.

        Photos of a folder that cannot be used are left out (`Enrollment.left_out`).

        mode: "new" raises AlreadyEnrolled for a name that is enrolled, "add" keeps the earlier
        photos, "replace" drops them, and raises AnotherFace if the new ones show somebody else;
        "replace_person" replaces the face as well. Raises UnreadableImage, NoFaceFound,
        SeveralFacesFound and EnrollmentRefused, which name the photo; then nothing was stored.
        """
        return enroll(
            name,
            list_photos(photos),
            pipeline=self._pipeline_of(None),
            vault=self._vault,
            mode=mode,
            clock=lambda: datetime.now(timezone.utc),
            may_skip=lambda photo: isinstance(photos, (str, os.PathLike)) and os.path.isdir(photos),
        )

    def verify(self, name: str, photo: ImageSource, *, target_fmr: float | None = None) -> Decision:
        """Decide whether the photo shows the person: one attempt, charged and logged.

        target_fmr: share of strangers that may pass, 0..1; None is one in ten thousand. No face
        and several faces are a locked decision. Raises NotEnrolled, TooManyAttempts,
        UnreadableImage, and NotEnoughEvidence for the target.
        """
        return verify(
            name,
            read_door_photo(photo),
            vault=self._vault,
            pipeline_of=self._pipeline_of,
            target_fmr=target_fmr,
            tell_unknown=True,
        )

    def identify(self, photo: ImageSource) -> Identification:
        """Find out which enrolled person the photo shows: one attempt, charged and logged.

        Raises NotEnrolled for an empty vault, TooManyAttempts, UnreadableImage, NoFaceFound and
        SeveralFacesFound.
        """
        shown = read_door_photo(photo)
        return identify(shown, vault=self._vault, pipeline=self._pipeline_of(None))

    def people(self) -> list[str]:
        """The names of everybody who is enrolled, sorted."""
        return [head.user for head in self._vault.list_people()]

    def rename(self, old: str, new: str) -> None:
        """Give a person another name. Raises NotEnrolled, and AlreadyEnrolled for the new one."""
        self._vault.rename(old, new)

    def forget(self, name: str) -> None:
        """Remove a person's template. Raises NotEnrolled."""
        forget(name, self._vault)

    def close(self) -> None:
        """Close the vault. A second call does nothing."""
        self._vault.close()

    def __enter__(self) -> FaceVault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_vault(
    path_or_url: str | os.PathLike[str] | None = None,
    *,
    model: str = DEFAULT_MODEL,
    engine: str | None = None,
) -> FaceVault:
    """Open this user's vault, or the one at a path or a postgresql:// URL.

    A vault that is absent reads as empty, and is created by the first change. model: enrolls and
    identifies people. engine: "onnxruntime" or "openvino"; None takes the setting. A vault
    under a passphrase needs the setting vault_passphrase_file.
    """
    settings = _settings_of(path_or_url, engine)
    file = settings.passphrase_file
    ask = no_prompt if file is None else passphrase_prompt(file, "passphrase of the vault")
    vault = open_sealed_vault(settings, create=True, surface="library", ask_passphrase=ask)
    return FaceVault(vault, load_pipelines(settings, default=model))


def compare(
    a: ImageSource, b: ImageSource, *, model: str = DEFAULT_MODEL, engine: str | None = None
) -> Decision:
    """Decide whether two photos show the same person. Nothing is stored.

    Raises UnreadableImage, NoFaceFound and SeveralFacesFound. The models stay loaded.
    """
    pipeline = _loaded_pipeline(load_settings(engine=engine), model)
    decision, _, _ = compare_images(read_image(a), read_image(b), pipeline)
    return decision


def embed(
    photos: Sequence[ImageSource] | ImageSource,
    *,
    model: str = DEFAULT_MODEL,
    engine: str | None = None,
) -> FloatArray:
    """Embed the one face on each photo: (n, d) float32, rows of length one, read-only.

    photos: several, or one folder. Raises UnreadableImage, NoFaceFound and SeveralFacesFound,
    which name the photo. The models stay loaded.
    """
    pipeline = _loaded_pipeline(load_settings(engine=engine), model)
    vectors = analyse_photos(list_photos(photos), pipeline).vectors
    vectors.flags.writeable = False
    return vectors


def list_photos(images: Any) -> list[ImageSource]:
    """The photos of a folder, a list, a batch (n, H, W, 3) or a single picture, as a list."""
    if isinstance(images, (str, os.PathLike)):
        return [*find_photos([os.fspath(images)])]
    if isinstance(images, (list, tuple)) or getattr(images, "ndim", 0) == 4:
        return list(images)
    return [images]


def _loaded_pipeline(settings: Settings, model: str) -> Pipeline:
    return _loaded_in_process(settings, model, os.getpid())


@lru_cache(maxsize=2)
def _loaded_in_process(settings: Settings, model: str, process: int) -> Pipeline:
    return open_pipeline(settings, model)


def _settings_of(path_or_url: str | os.PathLike[str] | None, engine: str | None) -> Settings:
    if path_or_url is None:
        return load_settings(engine=engine)
    place = os.fspath(path_or_url)
    if "://" not in place:
        place = str(Path(place).expanduser().absolute())
    return load_settings({**os.environ, "MIEN_VAULT": place}, engine=engine)
