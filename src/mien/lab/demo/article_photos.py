"""Find or download the twelve photos of the article.

They are photographs of real people and not part of mien. A local folder is searched first,
then the cache; else they are downloaded from the public repository of the article, at one
pinned commit, and each file is checked against its SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from mien.errors import UsageError
from mien.files import make_folder
from mien.lab.report.output import write_output

BASE_URL = (
    "https://raw.githubusercontent.com/FrancescoSaverioZuppichini/Face-Unlock/"
    "f463d5493b610c144d8c3e7638cd2731a6303b09/"
)
TIMEOUT_S = 5.0
MAX_BYTES = 1_000_000  # the largest one has 310 kB

PHOTOS = {
    "faces/di_caprio/220px-Leonardo_DiCaprio_2014.jpg": (
        "4257fc26f4247fb8e9c9afd4161ca3adf21c2f8c6ad55ad33b434014bea2be5d"
    ),
    "faces/di_caprio/220px-Leonardo_Dicaprio_Cannes_2019_2.jpg": (
        "78f02b30af285de6e8deb8a8361dbd5567efa6d3e24d8988ec771eed95e6dfd1"
    ),
    "faces/di_caprio/Leonardo-DiCaprio-smoking-500x375.jpg": (
        "59b9786afb512fde59b5e1d182c76c6bd7d91c09682185990ffda2cb4e56e50e"
    ),
    "faces/matt_demon/193188.jpg": (
        "25926edd3b72f1220a4ccf6e0814e994e4134dbe0961093ba6b4e02ce4590330"
    ),
    "faces/matt_demon/Matt_Damon_TIFF_2015.jpg": (
        "7f6fb3ae24eb23ac61b9de418c1133eb2dcbbb0a14482891524a9a5035609854"
    ),
    "faces/me/me_1.jpg": "dcde19a4606e33b42348afd67d1d0bd0430ec1ff26078a7ced44af56fd1e0057",
    "faces/me/me_2.jpg": "a85711423c88bd8d7dad18fdfd03bbce94f3e561ee2908ce3be8b77a8e3544f7",
    "faces/me/me_3.jpg": "21729d4c8a9aec602635cef507669210613f2050fbf0a8b88cfeb652b1a6aa38",
    "faces_test/202008-full.jpg": (
        "e684acc89dfab7ee323b14cd53376f4ee934e454e2bd41c8c53c19f3f2c94300"
    ),
    "faces_test/400px-Elon_Musk_Royal_Society.jpg": (
        "40ac72d9d906e7a5d6f049ed5fd13c6051c6730a91effbff8fa2fd4789b75016"
    ),
    "faces_test/cropped-miguel-herran-rio-casa-de-papel-0919-1400x800.jpg": (
        "f2558b4325812e744a13a668d328bb728d4a68e19dfd5e808eb4a50049f96005"
    ),
    "faces_test/me_test.jpg": ("c96d5190a109c19e92acd40301ed7a0deefff7e79080b063775e0528fc95cb20"),
}

Fetch = Callable[[str], bytes]
NameProgress = Callable[[Iterable[str]], Iterable[str]]


def find_article_photos(
    *,
    nearby: Path,
    cache_dir: Path,
    fetch: Fetch,
    progress: NameProgress = lambda names: names,
) -> Path | None:
    """The folder with `faces/` and `faces_test/`, or None if the photos are not available.

    nearby: searched first. cache_dir: holds earlier downloads. fetch: URL -> bytes, raises
    OSError if the download fails.
    """
    if (nearby / "faces").is_dir():
        return nearby
    folder = cache_dir / "article-photos"
    missing = [name for name in PHOTOS if not (folder / name).is_file()]
    try:
        for name in progress(missing) if missing else ():
            content = fetch(BASE_URL + name)
            if hashlib.sha256(content).hexdigest() != PHOTOS[name]:
                return None
            make_folder((folder / name).parent)
            write_output(folder / name, content)
    except (OSError, UsageError):  # UsageError: the cache cannot be written
        # being offline is normal: the caller runs the small demo instead and says so
        return None
    return folder


def fetch_url(url: str) -> bytes:
    """Download at most `MAX_BYTES` from a pinned https address. OSError if that fails."""
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=TIMEOUT_S) as response:
            content: bytes = response.read(MAX_BYTES)
    except HTTPException as error:  # raised for a response that is not HTTP; it is not an OSError
        raise OSError(f"invalid HTTP response: {type(error).__name__}") from error
    return content
