"""Sealed cells and the wrapped data key open in their own place, whole, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mien.errors import KeyUnavailable, VaultDamaged
from mien.vault.crypto.aead import VaultCipher, length_prefixed
from mien.vault.crypto.key_wrap import MAX_BYTES, Header, Kdf, kek_of_passphrase, unwrap, wrap

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
VAULT, OTHER_VAULT = b"v" * 16, b"w" * 16
PLACE = [b"ana", b"model", b"1"]
KDF = Kdf(b"s" * 16, memory_kib=19 * 1024, passes=1, lanes=1)


def counting() -> Callable[[int], bytes]:
    """Bytes that count up with each call, so that no nonce comes twice."""
    calls = iter(range(256))
    return lambda size: next(calls).to_bytes(size, "big")


@pytest.fixture
def cipher() -> VaultCipher:
    return VaultCipher(KEY, VAULT, random=counting())


def sealed_header(kind: str = "file", kdf: Kdf | None = None) -> Header:
    return wrap(
        KEY, OTHER_KEY, vault_id=VAULT, key_id=b"k" * 16, kind=kind, kdf=kdf, random=counting()
    )


@pytest.mark.parametrize("plain", [b"", b"x", b"template" * 500])
def test_sealed_bytes_are_opened(cipher: VaultCipher, plain: bytes) -> None:
    sealed = cipher.seal(plain, purpose="record", bound_to=PLACE)
    assert cipher.open(sealed, purpose="record", bound_to=PLACE) == plain
    assert len(sealed) == 12 + len(plain) + 16


def test_a_flipped_byte_of_a_sealed_cell_is_detected(cipher: VaultCipher) -> None:
    sealed = cipher.seal(b"a template", purpose="record", bound_to=PLACE)
    for at in range(len(sealed)):
        altered = bytearray(sealed)
        altered[at] ^= 1
        with pytest.raises(VaultDamaged):
            cipher.open(bytes(altered), purpose="record", bound_to=PLACE)


def test_a_shortened_or_lengthened_cell_is_detected(cipher: VaultCipher) -> None:
    sealed = cipher.seal(b"a template", purpose="record", bound_to=PLACE)
    for wrong in [*(sealed[:size] for size in range(len(sealed))), sealed + b"\0"]:
        with pytest.raises(VaultDamaged):
            cipher.open(wrong, purpose="record", bound_to=PLACE)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param([b"ben", b"model", b"1"], id="another user"),
        pytest.param([b"ana", b"other", b"1"], id="another model"),
        pytest.param([b"ana", b"model", b"2"], id="another version"),
        pytest.param([b"anam", b"odel", b"1"], id="a byte that changed sides"),
        pytest.param([b"ana", b"model1"], id="two parts joined"),
        pytest.param([*PLACE, b""], id="an empty part more"),
        pytest.param(PLACE[::-1], id="another order"),
    ],
)
def test_a_cell_opens_in_its_own_place_only(cipher: VaultCipher, place: list[bytes]) -> None:
    sealed = cipher.seal(b"a template", purpose="record", bound_to=PLACE)
    with pytest.raises(VaultDamaged):
        cipher.open(sealed, purpose="record", bound_to=place)


def test_a_cell_opens_with_its_own_key_vault_and_purpose_only(cipher: VaultCipher) -> None:
    sealed = cipher.seal(b"a template", purpose="record", bound_to=PLACE)
    for stranger, purpose in [
        (VaultCipher(OTHER_KEY, VAULT), "record"),
        (VaultCipher(KEY, OTHER_VAULT), "record"),
        (cipher, "log"),
    ]:
        with pytest.raises(VaultDamaged, match="restore"):
            stranger.open(sealed, purpose=purpose, bound_to=PLACE)


def test_the_same_text_is_sealed_differently_each_time() -> None:
    cipher = VaultCipher(KEY, VAULT)
    assert len({cipher.seal(b"same", purpose="record", bound_to=PLACE) for _ in range(100)}) == 100


def test_a_tag_depends_on_key_vault_purpose_and_text(cipher: VaultCipher) -> None:
    tags = [
        cipher.tag("user", "ana"),
        cipher.tag("user", "ben"),
        cipher.tag("use", "rana"),
        VaultCipher(OTHER_KEY, VAULT).tag("user", "ana"),
        VaultCipher(KEY, OTHER_VAULT).tag("user", "ana"),
    ]
    assert len(set(tags)) == 5
    assert {len(tag) for tag in tags} == {32}
    assert VaultCipher(KEY, VAULT).tag("user", "ana") == tags[0]


def test_the_transform_key_depends_on_key_vault_and_model(cipher: VaultCipher) -> None:
    keys = [
        cipher.transform_key("ab"),
        cipher.transform_key("cd"),
        VaultCipher(OTHER_KEY, VAULT).transform_key("ab"),
        VaultCipher(KEY, OTHER_VAULT).transform_key("ab"),
    ]
    assert len(set(keys)) == 4
    assert {len(key) for key in keys} == {32}


def test_no_repr_shows_a_key(cipher: VaultCipher) -> None:
    assert KEY.hex() not in repr(cipher)
    assert repr(KEY) not in repr(cipher)
    assert "wrapped" not in repr(sealed_header())


def test_joined_parts_have_their_lengths() -> None:
    assert length_prefixed([b"ab", b""]) == b"\0\0\0\0\0\0\0\2ab" + b"\0" * 8


@pytest.mark.parametrize("kdf", [None, KDF])
def test_a_header_is_read_as_it_was_written(kdf: Kdf | None) -> None:
    header = sealed_header(kdf=kdf)
    again = Header.from_bytes(header.to_bytes())
    assert again == header
    assert unwrap(again, OTHER_KEY) == KEY


@pytest.mark.parametrize("kdf", [None, KDF])
def test_a_flipped_byte_of_a_header_is_detected(kdf: Kdf | None) -> None:
    packed = sealed_header(kdf=kdf).to_bytes()
    for at in range(len(packed)):
        altered = bytearray(packed)
        altered[at] ^= 1
        with pytest.raises(VaultDamaged):
            unwrap(Header.from_bytes(bytes(altered)), OTHER_KEY)


def test_the_error_for_a_wrong_key_names_the_possible_causes() -> None:
    with pytest.raises(VaultDamaged, match="altered, or its key was"):
        unwrap(sealed_header(), KEY)
    with pytest.raises(KeyUnavailable, match="passphrase does not open"):
        unwrap(sealed_header("passphrase", KDF), KEY)


@pytest.mark.parametrize(
    "packed",
    [b"", b"{}", b"[]", b"1", b"null", b"\xff", b"[" * MAX_BYTES, b" " * (MAX_BYTES + 1)],
)
def test_bytes_that_are_not_a_header_are_damage(packed: bytes) -> None:
    with pytest.raises(VaultDamaged):
        Header.from_bytes(packed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", 2),
        ("format", True),
        ("vault_id", "00"),
        ("key_id", 7),
        ("wrapped", "zz"),
        ("wrapped", ""),
        ("kind", "\ud800"),
        ("kdf", []),
        ("kdf", {}),
        ("more", 1),
    ],
)
def test_a_header_with_another_value_is_damage(name: str, value: object) -> None:
    table = {**json.loads(sealed_header().to_bytes()), name: value}
    packed = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(VaultDamaged):
        unwrap(Header.from_bytes(packed), OTHER_KEY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_kib", 19 * 1024 - 1),
        ("memory_kib", 1024 * 1024 + 1),
        ("memory_kib", True),
        ("passes", 0),
        ("passes", 17),
        ("lanes", 0),
        ("lanes", 17),
        ("lanes", 1.0),
        ("salt", "00"),
        ("name", "argon2i"),
    ],
)
def test_passphrase_parameters_out_of_range_are_damage(name: str, value: object) -> None:
    table = json.loads(sealed_header("passphrase", KDF).to_bytes())
    table["kdf"][name] = value
    packed = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(VaultDamaged):
        Header.from_bytes(packed)


def test_a_passphrase_is_normalised_to_nfc() -> None:
    assert kek_of_passphrase("zo\u00eb", KDF) == kek_of_passphrase("zoe\u0308", KDF)
    assert kek_of_passphrase("zoe", KDF) != kek_of_passphrase("zo\u00eb", KDF)


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(KeyUnavailable, match="empty"):
        kek_of_passphrase("", KDF)


def test_the_default_parameters_are_the_second_choice_of_rfc_9106() -> None:
    kdf = Kdf(b"s" * 16)
    assert (kdf.memory_kib, kdf.passes, kdf.lanes) == (64 * 1024, 3, 4)
