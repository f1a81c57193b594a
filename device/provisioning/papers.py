"""The three papers of an enrolment, as JSON files: package (office), request (pole), answer (office).

Invariants: a private key is in none of them; the token of a package is worth one certificate and nothing else; whoever
only sees a request or an answer can do nothing with it, for the proof in a request is made with the token.
"""

import hashlib
import hmac
import pathlib
from typing import Annotated, Any, Final, Literal

import pydantic

from device.provisioning.enrolment import County, Name

MAX_BYTES: Final = 1024 * 1024
"""A request holds a site file, whose own limit lies far below; anything longer is another file."""

BROKER_URL: Final = r"^mqtts://[a-z0-9.-]+(:[0-9]{1,5})?$"
"""Where nodes connect. Without encryption is no way to write it."""

_Pem = Annotated[str, pydantic.Field(max_length=64 * 1024)]


class Paper(pydantic.BaseModel):
    """What every paper says: for which node of which county it is."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    county: County
    node: Name

    @property
    def place(self) -> str:
        """The site id."""
        return f"{self.county}/{self.node}"


class Package(Paper):
    """Office -> pole, once: whom to trust, where to connect, and the right to ask for one certificate."""

    format: Literal["sentinel-enrolment-package-1"] = "sentinel-enrolment-package-1"
    group: Name
    broker: Annotated[str, pydantic.Field(pattern=BROKER_URL)]
    ca: _Pem
    root: str
    token: Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def fingerprint(self) -> str:
        """Of the roots of trust, to be compared over the telephone: 80 bits as five groups."""
        digest = hashlib.sha256(f"{self.ca}\0{self.root}".encode()).hexdigest()
        return "-".join(digest[at : at + 4] for at in range(0, 20, 4))

    @property
    def token_sha256(self) -> str:
        """Which package it was, without what it is worth."""
        return hashlib.sha256(self.token.encode()).hexdigest()


class Request(Paper):
    """Pole -> office: the public key, and the site file as it will stand there."""

    format: Literal["sentinel-enrolment-request-1"] = "sentinel-enrolment-request-1"
    csr: _Pem
    site: str
    proof: str


class Answer(Paper):
    """Office -> pole."""

    format: Literal["sentinel-enrolment-answer-1"] = "sentinel-enrolment-answer-1"
    certificate: _Pem


_ANY: pydantic.TypeAdapter[Package | Request | Answer] = pydantic.TypeAdapter(
    Annotated[Package | Request | Answer, pydantic.Field(discriminator="format")]
)


def read(path: pathlib.Path) -> Package | Request | Answer:
    """The paper in a file. Raises OSError, and ValueError where it is none."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    try:
        return _ANY.validate_json(data)
    except pydantic.ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        raise ValueError(f"{place}: {first['msg']}" if place else str(first["msg"])) from None


def text(paper: Paper) -> bytes:
    """A paper as its file."""
    return (paper.model_dump_json(indent=1) + "\n").encode()


def proof(token: str, csr: str, site: str) -> str:
    """What shows that a request was made by whoever holds the package: HMAC-SHA256 over key and site file."""
    return hmac.new(bytes.fromhex(token), f"{len(csr)}\0{csr}{site}".encode(), "sha256").hexdigest()
