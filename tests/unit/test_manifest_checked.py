"""A model that is missing, cut off, swapped or of other classes is named before onnxruntime sees a byte of it."""

import hashlib
import json
import pathlib
import shutil
from typing import Any

import pytest

import models.onnx_detector
from models.errors import ManifestError, ModelError, ModelFileError
from models.manifest import BUNDLED, BUNDLED_MODELS, MAX_MANIFEST_BYTES, read_manifest, read_weights
from models.onnx_detector import load_detector


@pytest.fixture
def bundle(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the bundled manifest and weights."""
    weights = BUNDLED.parent / read_manifest(BUNDLED).file
    shutil.copy(BUNDLED, tmp_path)
    shutil.copy(weights, tmp_path)
    return tmp_path / BUNDLED.name


@pytest.fixture
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test when a session is built at all."""

    def refuse(*_args: object, **_more: object) -> None:
        pytest.fail("onnxruntime was given an unproven model")

    monkeypatch.setattr(models.onnx_detector.ort, "InferenceSession", refuse)


def edit(manifest: pathlib.Path, **changes: Any) -> None:
    values = json.loads(manifest.read_text("utf-8"))
    values.update(changes)
    manifest.write_text(json.dumps({k: v for k, v in values.items() if v is not ...}), "utf-8")


def weights_of(manifest: pathlib.Path) -> pathlib.Path:
    return manifest.with_suffix(".onnx")


@pytest.mark.parametrize(("model", "most_bytes"), [("standard", 4_000_000), ("tiny", 2_000_000)])
def test_a_bundled_model_is_small_and_says_whose_it_is(model: str, most_bytes: int) -> None:
    path = BUNDLED_MODELS[model]
    manifest = read_manifest(path)
    assert manifest.size_bytes <= most_bytes
    assert len(read_weights(path, manifest)) == manifest.size_bytes
    assert {source.licence for source in manifest.sources} == {"Apache-2.0", "CC BY 4.0"}


@pytest.mark.usefixtures("no_session")
class TestRefusedBeforeTheSession:
    def test_no_manifest(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(ModelFileError, match=r"other\.json.*reinstall"):
            load_detector(tmp_path / "other.json")

    def test_no_weights(self, bundle: pathlib.Path) -> None:
        weights_of(bundle).unlink()
        with pytest.raises(ModelFileError, match=r"road_users_standard\.onnx.*cannot be read"):
            load_detector(bundle)

    @pytest.mark.parametrize("keep", [0, 1, 1000])
    def test_weights_cut_off(self, bundle: pathlib.Path, keep: int) -> None:
        weights_of(bundle).write_bytes(weights_of(bundle).read_bytes()[:keep])
        with pytest.raises(ModelFileError, match=f"found {keep} bytes, cut off"):
            load_detector(bundle)

    def test_weights_too_long(self, bundle: pathlib.Path) -> None:
        weights_of(bundle).write_bytes(weights_of(bundle).read_bytes() + b"x")
        with pytest.raises(ModelFileError, match="more bytes than that"):
            load_detector(bundle)

    def test_one_bit_of_the_weights(self, bundle: pathlib.Path) -> None:
        data = bytearray(weights_of(bundle).read_bytes())
        data[len(data) // 2] ^= 1
        weights_of(bundle).write_bytes(data)
        with pytest.raises(ModelFileError, match=r"sha256 expected [0-9a-f]{64}, found [0-9a-f]{64}"):
            load_detector(bundle)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"classes": ["car", "person", "two_wheeler", "bus", "truck"]}, "allowed classes"),
            ({"classes": ["person", "car"]}, "allowed classes"),
            ({"classes": ...}, "classes"),
            ({"colour": "red"}, "colour"),
            ({"version": 2}, "version"),
            ({"sha256": "beef"}, "sha256"),
            ({"file": "../secret.onnx"}, "file"),
            ({"file": "/etc/passwd"}, "file"),
            ({"threshold": 1.5}, "threshold"),
            ({"licence": ""}, "licence"),
            ({"sources": []}, "sources"),
            ({"size_bytes": 10**9}, "size_bytes"),
        ],
    )
    def test_manifest_says_something_else(self, bundle: pathlib.Path, changes: dict[str, Any], said: str) -> None:
        edit(bundle, **changes)
        with pytest.raises(ManifestError, match=said) as caught:
            load_detector(bundle)
        assert str(bundle) in str(caught.value)

    @pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b" " * (MAX_MANIFEST_BYTES + 1)])
    def test_manifest_is_no_manifest(self, bundle: pathlib.Path, text: bytes) -> None:
        bundle.write_bytes(text)
        with pytest.raises(ManifestError):
            load_detector(bundle)


def test_a_proven_file_that_is_no_network(bundle: pathlib.Path) -> None:
    data = b"not a network"
    weights_of(bundle).write_bytes(data)
    edit(bundle, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(ModelFileError, match=r"onnxruntime .* refuses it"):
        load_detector(bundle)


@pytest.mark.parametrize("size", [{"height": 400, "width": 416}, {"height": 0, "width": 416}, {"height": 416}])
def test_an_input_size_that_the_network_cannot_take(bundle: pathlib.Path, size: dict[str, int]) -> None:
    values = json.loads(bundle.read_text("utf-8"))["input"]
    edit(bundle, input=values | {"sizes": [size]})
    with pytest.raises(ManifestError, match=r"input\.sizes"):
        load_detector(bundle)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0, float("nan")])
def test_a_threshold_that_is_none(threshold: float) -> None:
    with pytest.raises(ModelError, match="threshold"):
        load_detector(threshold=threshold)
