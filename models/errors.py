"""The one error tree of models. Every message says which file, what was expected and found, and what to do."""


class ModelError(Exception):
    """Anything that keeps the detector from being trusted; vision reports it as a fault and the radars guard on."""


class ModelFileError(ModelError, OSError):
    """The manifest or the weights are missing, cut off, or not the bytes that the manifest names."""


class ManifestError(ModelError, ValueError):
    """The manifest is there but says something that this node does not accept."""


class ModelOutputError(ModelError, RuntimeError):
    """The network gave numbers or shapes that cannot be detections."""


class PictureError(ModelError, ValueError):
    """What was handed in is not an H×W×3 uint8 picture."""
