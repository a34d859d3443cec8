"""`mien.facenet_pytorch.InceptionResnetV1`: facenet-pytorch's arguments, mien's weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.app.pipeline import open_pipeline
from mien.errors import ModelAltered, ModelMissing
from mien.models import EMBEDDERS
from mien.models.added import state_of_added, state_path, store_added
from mien.models.state_dict import pack_state
from mien.results import ByteArray
from mien.settings import Settings, load_settings

torch = pytest.importorskip("torch", reason="needs torch: pip install 'mien[torch]'")

from mien.facenet_pytorch import MTCNN, InceptionResnetV1  # noqa: E402 - imports torch

CASIA = EMBEDDERS["facenet-casia-webface"].model
CROPS = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))


def add_weights(weights: dict[str, np.ndarray]) -> None:
    """Put these weights into the store of the present home, as `mien models add` does."""
    store_added(
        CASIA,
        source_sha256="0" * 64,
        graphs={},
        today=date(2020, 10, 13),
        data_dir=load_settings().data_dir,
        state=pack_state(weights),
    )


@pytest.fixture
def added(home: Path, fixed_weights: dict[str, np.ndarray]) -> Iterator[Path]:
    """A home in which CASIA-WebFace's row was added, without a classifier."""
    add_weights(fixed_weights)
    yield home
    data = load_settings().data_dir
    state_path(_sum(data), data).unlink()  # 94 MB


def _sum(data_dir: Path) -> str:
    return next((data_dir / "models").glob("*.npz")).stem


def test_without_weights_it_is_a_fresh_net_in_training_mode() -> None:
    net = InceptionResnetV1()
    assert net.training
    assert (net.pretrained, net.classify, net.num_classes) == (None, False, None)
    assert net.dropout.p == 0.6
    assert InceptionResnetV1(dropout_prob=0.3).dropout.p == 0.3
    assert not hasattr(net, "logits")


def test_it_embeds_to_unit_rows_and_one_crop_is_a_batch_of_one() -> None:
    net = InceptionResnetV1().eval()
    with torch.inference_mode():
        rows = net(CROPS)
        one = net(CROPS[0].unsqueeze(0))
    assert rows.shape == (2, 512)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(one[0], rows[0], atol=1e-5, rtol=0)


def test_classify_gives_logits() -> None:
    net = InceptionResnetV1(classify=True, num_classes=5).eval()
    with torch.inference_mode():
        assert net(CROPS).shape == (2, 5)
        net.classify = False
        assert net(CROPS).shape == (2, 512)
    assert not hasattr(InceptionResnetV1(num_classes=5), "logits")  # as in the reference
    with pytest.raises(ValueError, match="num_classes"):
        InceptionResnetV1(classify=True)


def test_double_half_and_to_move_the_weights() -> None:
    net = InceptionResnetV1(device="cpu")
    assert net.device == torch.device("cpu")
    assert net.double().last_linear.weight.dtype == torch.float64
    assert net.eval()(CROPS.double()).dtype == torch.float64
    assert net.half().last_linear.weight.dtype == torch.float16
    assert net.to("meta").device.type == "meta"
    assert InceptionResnetV1(device="meta").device.type == "meta"


def test_the_net_trains() -> None:
    torch.manual_seed(0)
    net = InceptionResnetV1(classify=True, num_classes=2, dropout_prob=0.0)
    before = net.conv2d_1a.conv.weight.detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    torch.nn.functional.cross_entropy(net(CROPS), torch.tensor([0, 1])).backward()
    optimizer.step()
    assert not torch.equal(net.conv2d_1a.conv.weight, before)


def test_an_unknown_data_set_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="'vggface2' and 'casia-webface'"):
        InceptionResnetV1(pretrained="vggface")


@pytest.mark.parametrize("name", ["vggface2", "casia-webface"])
def test_missing_weights_are_an_error_that_names_the_command(home: Path, name: str) -> None:
    with pytest.raises(ModelMissing, match=f"mien models add facenet-{name}"):
        InceptionResnetV1(pretrained=name)


def test_pretrained_weights_come_from_the_store(
    added: Path, fixed_weights: dict[str, np.ndarray]
) -> None:
    net = InceptionResnetV1(pretrained="casia-webface").eval()
    for name, tensor in net.state_dict().items():
        if not name.startswith("logits"):
            np.testing.assert_array_equal(tensor.numpy(), fixed_weights[name])
    assert net.logits.weight.shape == (10575, 512)  # a name in the published state dict
    fresh = InceptionResnetV1(pretrained="casia-webface", classify=True, num_classes=3)
    assert fresh.logits.weight.shape == (3, 512)
    assert fresh.logits.weight.abs().sum() > 0


def test_classes_of_a_data_set_need_the_classifier(
    added: Path, fixed_weights: dict[str, np.ndarray]
) -> None:
    with pytest.raises(ModelMissing, match="without their classifier; pass num_classes, or get"):
        InceptionResnetV1(pretrained="casia-webface", classify=True)
    layer = {"logits.weight": np.ones((10575, 512)), "logits.bias": np.zeros(10575)}
    add_weights({**fixed_weights, **{n: a.astype(np.float32) for n, a in layer.items()}})
    net = InceptionResnetV1(pretrained="casia-webface", classify=True)
    assert net.logits.weight.min() == 1


def test_the_real_weights_embed_as_mien_does(
    real_webface: Settings, home: Path, astronaut: ByteArray
) -> None:
    data_dir = home / ".local" / "share" / "mien"
    shutil.rmtree(data_dir)
    data_dir.symlink_to(real_webface.data_dir)
    net = InceptionResnetV1(pretrained="casia-webface").eval()
    pipeline = open_pipeline(real_webface, "facenet-casia-webface")
    face = pipeline.faces(astronaut)[0]
    crop = MTCNN(margin=18, cascade=pipeline.cascade)(Image.fromarray(astronaut))
    with torch.no_grad():
        given = net(crop.unsqueeze(0)).numpy()
    expected = pipeline.embed([pipeline.crop(astronaut, face)])
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_altered_weights_are_refused(added: Path) -> None:
    data = load_settings().data_dir
    path = state_path(_sum(data), data)
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"!")
    with pytest.raises(ModelAltered, match="mien models add facenet-casia-webface"):
        InceptionResnetV1(pretrained="casia-webface")
    with pytest.raises(ModelAltered):
        state_of_added(CASIA, data)


def test_saved_states_load_and_a_net_can_be_pickled(tmp_path: Path) -> None:
    net = InceptionResnetV1()
    torch.save(net.state_dict(), tmp_path / "net.pt")
    other = InceptionResnetV1()
    other.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    torch.save(net, tmp_path / "whole.pt")
    whole: Any = torch.load(tmp_path / "whole.pt", weights_only=False)
    for copied in (other, whole):
        assert torch.equal(copied.last_linear.weight, net.last_linear.weight)
