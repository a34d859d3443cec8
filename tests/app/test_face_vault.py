"""The functions of the library: open a vault, compare two photos, embed photos."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien
from mien.app.face_vault import list_photos
from mien.cli.main import main
from mien.results import ByteArray


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "MIEN_VAULT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_people_are_enrolled_verified_identified_renamed_and_forgotten(
    empty_home: None, shots: list[ByteArray], stranger: ByteArray
) -> None:
    with mien.open_vault() as vault:
        assert vault.people() == []
        enrollment = vault.enroll("anna", shots[:3])
        assert len(enrollment.template.vectors) == 3
        assert vault.people() == ["anna"]
        decision = vault.verify("anna", shots[3])
        assert decision
        assert not vault.verify("anna", stranger)
        assert vault.identify(shots[3]).user == "anna"
        assert vault.identify(stranger).user is None
        vault.rename("anna", "ann")
        assert vault.people() == ["ann"]
        assert vault.verify("ann", shots[3]).similarity == decision.similarity
        vault.forget("ann")
        assert vault.people() == []


def test_a_name_that_is_taken_is_refused_and_mode_says_what_to_do(
    empty_home: None, shots: list[ByteArray]
) -> None:
    with mien.open_vault() as vault:
        vault.enroll("anna", shots[0])
        with pytest.raises(mien.AlreadyEnrolled):
            vault.enroll("anna", shots[1])
        assert len(vault.enroll("anna", shots[1], mode="add").template.vectors) == 2
        assert len(vault.enroll("anna", shots[1], mode="replace").template.vectors) == 1


def test_an_unknown_name_and_too_many_attempts_are_errors(
    empty_home: None, shots: list[ByteArray], stranger: ByteArray
) -> None:
    with mien.open_vault() as vault:
        vault.enroll("anna", shots[0])
        with pytest.raises(mien.NotEnrolled):
            vault.verify("ben", shots[0])
        for _ in range(5):
            assert not vault.verify("anna", stranger)
        with pytest.raises(mien.TooManyAttempts):
            vault.verify("anna", shots[1])


def test_a_vault_is_stored_at_the_given_path(
    empty_home: None, tmp_path: Path, shots: list[ByteArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with mien.open_vault("faces.sqlite") as vault:
        vault.enroll("anna", shots[0])
        assert repr(vault) == f"FaceVault({str(tmp_path / 'faces.sqlite')!r})"
    assert (tmp_path / "faces.sqlite").is_file()
    with mien.open_vault(tmp_path / "faces.sqlite") as vault:
        assert vault.people() == ["anna"]
    with mien.open_vault() as vault:
        assert vault.people() == []


def test_a_url_is_a_database_and_not_a_path(empty_home: None) -> None:
    with mien.open_vault("postgresql://localhost:1/faces") as vault:
        assert repr(vault) == "FaceVault('postgresql://localhost:1/faces')"


def test_two_photos_are_compared_from_any_source(
    shots: list[ByteArray], stranger: ByteArray, tmp_path: Path
) -> None:
    packed = io.BytesIO()
    Image.fromarray(shots[1]).save(packed, "PNG")
    (tmp_path / "one.png").write_bytes(packed.getvalue())
    by_array = mien.compare(shots[0], shots[1])
    assert by_array
    for source in (packed.getvalue(), tmp_path / "one.png", io.BytesIO(packed.getvalue())):
        assert mien.compare(shots[0], source).similarity == by_array.similarity
    assert not mien.compare(shots[0], stranger)


def test_embeddings_are_read_only_unit_rows_whose_product_is_the_similarity(
    shots: list[ByteArray],
) -> None:
    vectors = mien.embed(shots[:2])
    assert (vectors.shape, vectors.dtype) == ((2, 128), np.float32)
    assert not vectors.flags.writeable
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    compared = mien.compare(shots[0], shots[1]).similarity
    assert float(vectors[0] @ vectors[1]) == pytest.approx(compared, abs=1e-6)


def test_a_photo_without_a_face_is_named_when_photos_are_embedded(shots: list[ByteArray]) -> None:
    with pytest.raises(mien.NoFaceFound, match=r"^photo 2: no face found"):
        mien.embed([shots[0], np.zeros((99, 99, 3), np.uint8)])
    with pytest.raises(mien.UsageError, match="no photo given"):
        mien.embed([])


def test_a_folder_a_batch_a_list_and_a_single_photo_are_lists_of_photos(tmp_path: Path) -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "2.png")
    Image.fromarray(image).save(tmp_path / "1.png")
    assert list_photos(tmp_path) == [tmp_path / "1.png", tmp_path / "2.png"]
    assert list_photos(tmp_path / "2.png") == [tmp_path / "2.png"]
    assert [one.shape for one in list_photos(np.stack([image, image]))] == [(4, 5, 3)] * 2  # type: ignore[union-attr]
    assert list_photos((image, image))[1] is image
    assert list_photos(image)[0] is image


def test_a_vault_is_closed_at_the_end_of_its_block(empty_home: None) -> None:
    with mien.open_vault() as vault:
        assert vault.people() == []
    with pytest.raises(ValueError, match="closed"):
        vault.people()


def test_a_vault_under_a_passphrase_needs_the_file_with_it(
    empty_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passphrase").write_text("correct horse battery\n")
    (tmp_path / "passphrase").chmod(0o600)
    monkeypatch.setenv("MIEN_VAULT_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    assert main(["vault", "init", "--key", "passphrase"]) == 0
    with mien.open_vault() as vault:
        assert vault.people() == []
    monkeypatch.delenv("MIEN_VAULT_PASSPHRASE_FILE")
    with (
        pytest.raises(mien.KeyUnavailable, match="needs its passphrase"),
        mien.open_vault() as vault,
    ):
        vault.people()
