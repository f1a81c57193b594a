"""The manifest beside a model's weights: which bytes, which input, which classes, whose licence.

Invariants: everything here is checked before a runtime sees a byte of the weights (their parsers are native code);
the bytes that were hashed are the bytes that are run, no file is read twice.
"""

import hashlib
import pathlib
from typing import Annotated, Literal

import pydantic

from models.detector import ROAD_USERS
from models.errors import ManifestError, ModelFileError

_WEIGHTS = pathlib.Path(__file__).parent / "weights"

BUNDLED_MODELS = {"standard": _WEIGHTS / "road_users_standard.json", "tiny": _WEIGHTS / "road_users_tiny.json"}
"""The manifests of the models that come with the package: ``tiny`` is for a Pi 4."""

BUNDLED = BUNDLED_MODELS["standard"]
"""What runs unless another is named."""

MAX_MANIFEST_BYTES = 64 * 1024
"""A manifest is a page of text; anything larger is the wrong file."""

MAX_WEIGHTS_BYTES = 64 * 1024 * 1024
"""Far above any model that a node of this kind runs (ours: under 4 MB); keeps a wrong file from filling the memory."""

Text = Annotated[str, pydantic.Field(min_length=1, max_length=400)]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


Side = Annotated[int, pydantic.Field(ge=32, le=2048, multiple_of=32)]


class InputSize(_Strict):
    """One input size that the network takes, pixels; both sides divide by its largest cell."""

    height: Side
    width: Side


class ModelInput(_Strict):
    """How a picture becomes the network's input."""

    sizes: tuple[InputSize, ...] = pydantic.Field(
        min_length=1,
        max_length=4,
        description="输入尺寸，取画面最大者 · sizes; the one that shows a picture largest is taken",
    )
    layout: Literal["nhwc_bgr_uint8"] = pydantic.Field(description="数据排列 · channel order and type")
    placing: Literal["letterbox_top_left"] = pydantic.Field(description="缩放方式 · how the picture is fitted")
    pad: int = pydantic.Field(ge=0, le=255, description="填充灰度 · grey of the unused part")


class ProvenFile(_Strict):
    """A file beside the manifest, and which bytes it must be."""

    file: str = pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="同目录下的文件 · file")
    size_bytes: int = pydantic.Field(gt=0, le=MAX_WEIGHTS_BYTES, description="文件大小 · file size, bytes")
    sha256: str = pydantic.Field(pattern=r"^[0-9a-f]{64}$")


class NcnnFiles(_Strict):
    """The same network for ncnn, up to the heads: layers and weights."""

    param: ProvenFile
    weights: ProvenFile


class Source(_Strict):
    """Something that the weights were made from."""

    name: Text
    author: Text
    licence: Text
    used_for: Text


class Manifest(_Strict):
    """All that is known of one model file."""

    version: Literal[1] = pydantic.Field(description="清单格式版本 · version of this format")
    name: Text
    file: str = pydantic.Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.onnx$", description="同目录下的权重文件 · weights"
    )
    size_bytes: int = pydantic.Field(gt=0, le=MAX_WEIGHTS_BYTES, description="文件大小 · file size, bytes")
    sha256: str = pydantic.Field(pattern=r"^[0-9a-f]{64}$")
    ncnn: NcnnFiles | None = pydantic.Field(default=None, description="ncnn 用的文件 · files for the runtime ncnn")
    input: ModelInput
    classes: tuple[str, ...] = pydantic.Field(description="输出类别，按顺序 · classes in the order of the outputs")
    threshold: float = pydantic.Field(gt=0, lt=1, description="默认置信度阈值 · default score threshold")
    overlap: float = pydantic.Field(gt=0, lt=1, description="重叠抑制的交并比 · IoU above which the lower score goes")
    max_detections: int = pydantic.Field(ge=1, le=1000)
    licence: Text
    sources: tuple[Source, ...] = pydantic.Field(min_length=1)

    @pydantic.field_validator("classes")
    @classmethod
    def _known(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if classes != ROAD_USERS:
            raise ValueError(f"allowed classes: {', '.join(ROAD_USERS)}, in this order")
        return classes


def located(named: pathlib.Path) -> pathlib.Path:
    """The manifest that a path or one bare word, ``standard`` or ``tiny``, names."""
    return BUNDLED_MODELS.get(str(named), named)


def read_manifest(path: pathlib.Path) -> Manifest:
    """Reads and checks a manifest, or that of a bundled model by its word (``located``).

    Raises ModelFileError (not there) or ManifestError (not acceptable).
    """
    path = located(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ModelFileError(
            f"{path}: model manifest cannot be read ({error.strerror}); reinstall the package or name another manifest"
        ) from error
    if len(text) > MAX_MANIFEST_BYTES:
        raise ManifestError(f"{path}: larger than {MAX_MANIFEST_BYTES} bytes, so not a model manifest")
    try:
        return Manifest.model_validate_json(text)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise ManifestError(
            f"{path}: {where}: {first['msg']} (found {str(first['input'])[:120]!r}); "
            "use the manifest that came with the weights"
        ) from error


def read_weights(manifest_path: pathlib.Path, manifest: Manifest) -> bytes:
    """The weights beside the manifest, proven to be the named bytes. Raises ModelFileError."""
    named = ProvenFile(file=manifest.file, size_bytes=manifest.size_bytes, sha256=manifest.sha256)
    return read_proven(located(manifest_path).parent, named)


def read_proven(folder: pathlib.Path, named: ProvenFile) -> bytes:
    """A file of a manifest in this folder, proven to be the named bytes. Raises ModelFileError."""
    path = folder / named.file
    try:
        with path.open("rb") as file:
            data = file.read(named.size_bytes + 1)
    except OSError as error:
        raise ModelFileError(
            f"{path}: model weights cannot be read ({error.strerror}); reinstall the package"
        ) from error
    if len(data) != named.size_bytes:
        found = f"{len(data)} bytes, cut off" if len(data) < named.size_bytes else "more bytes than that"
        raise ModelFileError(f"{path}: expected {named.size_bytes} bytes, found {found}; copy the file again")
    digest = hashlib.sha256(data).hexdigest()
    if digest != named.sha256:
        raise ModelFileError(
            f"{path}: sha256 expected {named.sha256}, found {digest}; "
            "the file is damaged or belongs to another manifest: copy both again"
        )
    return data
