"""The training set of corruptions: pictures made worse on purpose, so that the network has seen bad weather and dirt.

Named ``NAME`` in every report. It is disjoint from the set that the evaluation degrades its pictures with, and must
stay so, or a good figure in rain would only say that the rain was learnt. The two differ in kind, not in numbers:

- Ours are painted: everything works on display values (0–255, gamma encoded) of one flat picture, with shapes that a
  painter would use. No depth, no linear light, no sensor and no optics are modelled here, and must not be added.
- night is a tone curve with a colour cast and pools of lamp light, its noise is smooth blotches; no exposure, no
  photons.
- headlights are discs with a halo and a cross of rays laid over the picture (screen blend) at the lower corners of
  vehicles; no bloom of what is bright in the picture itself.
- rain is straight strokes of one slant, drawn one by one; no layers of noise, no blur of distance.
- fog is a veil of one opacity, in clouds and thicker towards one side, whichever; no extinction with a distance.
- drops are milky smudges with a bright rim; nothing is refracted or turned over in them, the lens stays in focus.
- motion blur is a straight stroke of one direction; JPEG is the codec itself at a low quality.

Invariants: the shape and type of a picture stay, no box moves, the picture handed in is not changed; the same picture
and the same random state give the same result. Sizes are in pixels of the network's input.
"""

from collections.abc import Callable

import cv2
import numpy as np

from models.training.teachers import Floats, Image

NAME = "painted-1"
"""Goes into every report, so that a reader can tell the two sets apart; the number rises with any change below."""

Random = np.random.Generator
Painter = Callable[[Image, Floats, Random], Image]


def _clouds(shape: tuple[int, ...], cells: int, random: Random) -> Floats:
    """Smooth noise of mean 0 and deviation near 1, ``cells`` blobs along each side: H×W."""
    coarse = random.standard_normal((cells, cells), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def _grid(shape: tuple[int, ...], top: int = 0, left: int = 0) -> tuple[Floats, Floats]:
    """Rows H×1 and columns 1×W of a patch of a picture; they broadcast."""
    rows = np.arange(top, top + shape[0], dtype=np.float32)[:, None]
    return rows, np.arange(left, left + shape[1], dtype=np.float32)[None]


def _bytes(values: Floats) -> Image:
    return np.clip(values, 0, 255).astype(np.uint8)


def _screen(image: Image, light: Floats) -> Image:
    """Lays light (H×W×3, 0–255) over a picture: what is white stays white."""
    dim = (255 - image.astype(np.float32)) * (255 - np.clip(light, 0, 255)) / np.float32(255)
    return _bytes(255 - dim)


CASTS = ((1.25, 1.0, 0.85), (0.7, 0.95, 1.2), (1.0, 1.0, 1.0))
"""Blue of an empty road, yellow of sodium lamps, none; factors of B, G, R."""


def night(image: Image, _boxes: Floats, random: Random) -> Image:
    """A tone curve, a cast of blue or sodium yellow, up to three pools of lamp light, blotchy noise."""
    height, width = image.shape[:2]
    curve = (np.arange(256, dtype=np.float32) / 255) ** np.float32(random.uniform(1.5, 2.8)) * 255
    cast = np.array(CASTS[random.integers(len(CASTS))], np.float32)
    gain = np.full((height, width), random.uniform(0.35, 0.8), np.float32)
    ys, xs = _grid(image.shape)
    for _ in range(int(random.integers(0, 4))):
        x, y = random.uniform(0, width), random.uniform(0, height)
        reach = random.uniform(0.1, 0.35) * width
        distance = ((xs - x) / reach) ** 2 + ((ys - y) / (0.6 * reach)) ** 2
        gain += np.float32(random.uniform(0.2, 0.7)) * np.exp(-distance)
    dark = np.asarray(curve[image] * gain[..., None] * cast, np.float32)
    blotches = random.standard_normal(((height + 1) // 2, (width + 1) // 2, 3), dtype=np.float32)
    dark += np.float32(random.uniform(2, 11)) * cv2.resize(blotches, (width, height), interpolation=cv2.INTER_LINEAR)
    return _bytes(dark)


def headlights(image: Image, boxes: Floats, random: Random) -> Image:
    """Two lamps at the lower corners of some road users, or one pair anywhere: disc, halo, rays."""
    height, width = image.shape[:2]
    some = boxes[random.random(len(boxes)) < 0.5][:8]
    if not len(some):
        x, y, side = random.uniform(0, width), random.uniform(0.3, 0.9) * height, random.uniform(15, 60)
        some = np.array([[x, y - side, x + side, y]], np.float32)
    light = np.zeros((height, width), np.float32)
    for x0, y0, x1, y1 in some.tolist():
        level = y1 - 0.25 * (y1 - y0)
        for x in (x0 + 0.2 * (x1 - x0), x1 - 0.2 * (x1 - x0)):
            _lamp(light, x, level, max(1.5, 0.06 * (y1 - y0)) * random.uniform(0.8, 2.0), random)
    warm = np.array([random.uniform(0.75, 1.0), 0.95, 1.0], np.float32)
    return _screen(image, light[..., None] * warm)


def _lamp(light: Floats, x: float, y: float, radius: float, random: Random) -> None:
    """Adds one lamp to a sheet of light: white within the radius, a halo of ten, rays of fifteen."""
    reach = int(16 * radius) + 1
    left, top = max(0, int(x) - reach), max(0, int(y) - reach)
    patch = light[top : int(y) + reach, left : int(x) + reach]
    if not patch.size:
        return
    ys, xs = _grid(patch.shape, top, left)
    away = np.hypot(xs - np.float32(x), ys - np.float32(y)) / np.float32(radius)
    patch += 300 * np.exp(-np.maximum(away - 1, 0) / np.float32(random.uniform(1.5, 3.5)))
    turn = random.uniform(0, np.pi)
    along = np.abs(np.sin(2 * (np.arctan2(ys - np.float32(y), xs - np.float32(x)) + np.float32(turn))))
    patch += 120 * np.exp(-along * 12) * np.exp(-away / 5)


def rain(image: Image, _boxes: Floats, random: Random) -> Image:
    """Strokes of one slant over a picture that has lost some of its contrast."""
    height, width = image.shape[:2]
    strokes = np.zeros((height, width), np.uint8)
    slant, longest = random.uniform(-0.5, 0.5), random.uniform(10, 32)
    count = int(random.uniform(0.001, 0.004) * height * width)
    starts = random.uniform((-longest, -longest), (width, height), (count, 2))
    lengths = random.uniform(0.4, 1.0, count) * longest
    # Whole pixels would all look alike: OpenCV takes sixteenths.
    for (x, y), length, bright in zip(starts, lengths, random.integers(90, 256, count), strict=True):
        ends = [(int(16 * x), int(16 * y)), (int(16 * (x + slant * length)), int(16 * (y + length)))]
        cv2.line(strokes, ends[0], ends[1], int(bright), 1, cv2.LINE_AA, 4)
    opacity = (strokes.astype(np.float32) / 255 * random.uniform(0.25, 0.6))[..., None].astype(np.float32)
    grey, contrast = random.uniform(110, 170), random.uniform(0.55, 0.9)
    flat = (image.astype(np.float32) - grey) * contrast + grey
    return _bytes((flat * (1 - opacity) + 225 * opacity).astype(np.float32))


def fog(image: Image, _boxes: Floats, random: Random) -> Image:
    """A veil of nearly white, thicker towards one side, in clouds."""
    height, width = image.shape[:2]
    ys, xs = _grid(image.shape)
    turn = random.uniform(0, 2 * np.pi)
    slope = np.float32(np.cos(turn)) * (xs / width - 0.5) + np.float32(np.sin(turn)) * (ys / height - 0.5)
    veil = np.float32(random.uniform(0.3, 0.7)) + np.float32(random.uniform(0.0, 0.3)) * slope
    veil = veil + np.float32(random.uniform(0.0, 0.1)) * _clouds(image.shape, int(random.integers(3, 8)), random)
    veil = np.clip(veil, 0, 0.92)[..., None]
    white = np.array(random.uniform(165, 230) + random.uniform(-8, 8, 3), np.float32)
    return _bytes(image.astype(np.float32) * (1 - veil) + white * veil)


def drops(image: Image, _boxes: Floats, random: Random) -> Image:
    """Drops on the glass: smudges in which the picture is blurred and pale, with a bright rim."""
    height, width = image.shape[:2]
    out = image.copy()
    milky = cv2.GaussianBlur(image, (0, 0), 5).astype(np.float32) * np.float32(0.6) + np.float32(70)
    for _ in range(int(random.integers(2, 10))):
        x, y, radius = random.uniform(0, width), random.uniform(0, height), random.uniform(0.015, 0.07) * width
        stretch, reach = random.uniform(0.8, 1.5), int(2 * radius) + 1
        rows = slice(max(0, int(y) - reach), int(y) + reach)
        columns = slice(max(0, int(x) - reach), int(x) + reach)
        patch = out[rows, columns]
        ys, xs = _grid(patch.shape, rows.start, columns.start)
        away = np.hypot(xs - np.float32(x), (ys - np.float32(y)) / np.float32(stretch)) / np.float32(radius)
        cover = np.clip((1.1 - away) / 0.3, 0, 1)[..., None]
        rim = 40 * np.exp(-(((away - 0.9) / 0.15) ** 2))[..., None]
        patch[...] = _bytes(patch * (1 - cover) + (milky[rows, columns] + rim) * cover)
    return out


def motion_blur(image: Image, _boxes: Floats, random: Random) -> Image:
    """A straight stroke of 3 to 9 px in any direction, as of a mast in the wind."""
    length = int(random.integers(3, 10)) | 1
    kernel = np.zeros((length, length), np.float32)
    angle, half = random.uniform(0, np.pi), (length - 1) / 2
    across, down = half * np.cos(angle), half * np.sin(angle)
    ends = [(round(half - across), round(half - down)), (round(half + across), round(half + down))]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


def jpeg(image: Image, _boxes: Floats, random: Random) -> Image:
    """The blocks of a codec that is short of bits."""
    quality = int(random.integers(8, 40))
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


PAINTERS: dict[str, Painter] = {
    "night": night,
    "headlights": headlights,
    "rain": rain,
    "fog": fog,
    "drops": drops,
    "motion_blur": motion_blur,
    "jpeg": jpeg,
}
"""Every corruption by name, in the order of light on its way: the scene, the air, the glass, the mast, the codec."""

CHANCES: dict[str, float] = {"night": 0.3, "rain": 0.2, "fog": 0.2, "drops": 0.12, "motion_blur": 0.15, "jpeg": 0.25}
"""How often each falls on a picture that is degraded at all. Headlights come with six nights in ten, and only there."""

HEADLIGHTS_AT_NIGHT = 0.6
"""By day a lamp is no brighter than the road."""


DARK = 60
"""A picture of a lower mean is a night already; a second one would leave labels on black."""


def degrade(image: Image, boxes: Floats, random: Random) -> Image:
    """One picture (H×W×3 BGR uint8) with whatever chance brings; ``boxes`` N×4 xyxy are where lamps may be."""
    wanted = {name for name, chance in CHANCES.items() if random.random() < chance}
    if "night" in wanted and random.random() < HEADLIGHTS_AT_NIGHT:
        wanted.add("headlights")
    if image.mean() < DARK:
        wanted.discard("night")
    for name, painter in PAINTERS.items():
        if name in wanted:
            image = painter(image, boxes, random)
    return image
