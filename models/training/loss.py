"""YOLOX's own loss: SimOTA assignment, class target × IoU, 5 × (1 - IoU²) for boxes, objectness on every cell.

Invariants: no gradient runs through the assignment; a cell inside a region that is neither labelled nor certainly empty
takes no objectness loss unless a label claims it.
"""

import dataclasses

import torch
import torch.nn.functional as nnf

CENTRE_RADIUS_CELLS = 1.5
"""A label may claim cells this near to its centre (in strides): the published 2.5 is wide for our small boxes."""

MOST_IOUS = 10
"""The sum of a label's ten best IoUs says how many cells it gets (SimOTA's dynamic k)."""

BOX_WEIGHT = 5.0
"""Weight of the box term, YOLOX's published value."""


@dataclasses.dataclass(frozen=True, slots=True)
class Truth:
    """Labels of one picture: boxes G×4 xyxy, classes G, ignored M×4."""

    boxes: torch.Tensor
    classes: torch.Tensor
    ignored: torch.Tensor


def iou_of(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """IoU of broadcast xyxy boxes."""
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    inner = (high - low).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1) - inner
    return inner / union.clamp(min=1e-6)


def decode(raw: torch.Tensor, corners: torch.Tensor, strides: torch.Tensor) -> torch.Tensor:
    """Raw box outputs …×N×4 → xyxy in input pixels."""
    centre = (raw[..., :2] + corners) * strides
    half = raw[..., 2:].clamp(max=8).exp() * strides / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def assign(
    cls: torch.Tensor,
    obj: torch.Tensor,
    boxes: torch.Tensor,
    centres: torch.Tensor,
    strides: torch.Tensor,
    truth: Truth,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """SimOTA for one picture: which cells are positive, the label of each, and their IoU. Call without gradients."""
    low, high = truth.boxes[:, None, :2], truth.boxes[:, None, 2:]
    inside = ((centres > low) & (centres < high)).all(-1)
    middle = (low + high) / 2
    near = ((centres - middle).abs() < CENTRE_RADIUS_CELLS * strides).all(-1)
    allowed = (inside | near).any(0)
    cells = allowed.nonzero()[:, 0]
    iou = iou_of(truth.boxes[:, None], boxes[None, cells])
    score = (cls[cells].sigmoid() * obj[cells, None].sigmoid()).sqrt().clamp(1e-6, 1 - 1e-6)
    hot = nnf.one_hot(truth.classes, cls.shape[1]).float()
    # BCE of every label against every cell: -Σ(t·log p + (1-t)·log(1-p)).
    cost_cls = -(hot @ score.log().T + (1 - hot) @ (1 - score).log().T)
    cost = cost_cls - 3 * (iou + 1e-8).log() + 1e5 * ~(inside & near)[:, cells]
    claimed = torch.zeros_like(cost, dtype=torch.bool)
    count = min(MOST_IOUS, len(cells))
    share = iou.topk(count, dim=1).values.sum(1).int().clamp(min=1, max=count)
    for label in range(len(truth.boxes)):
        claimed[label, cost[label].topk(int(share[label]), largest=False).indices] = True
    disputed = claimed.sum(0) > 1
    if disputed.any():
        winner = cost[:, disputed].argmin(0)
        claimed[:, disputed] = False
        claimed[winner, disputed.nonzero()[:, 0]] = True
    taken = claimed.any(0)
    label_of = claimed[:, taken].float().argmax(0)
    return cells[taken], label_of, iou[:, taken].gather(0, label_of[None])[0]


def loss_of(
    cls: torch.Tensor,
    raw: torch.Tensor,
    obj: torch.Tensor,
    truths: list[Truth],
    corners: torch.Tensor,
    strides: torch.Tensor,
) -> torch.Tensor:
    """Loss of a batch: class logits B×N×5, raw boxes B×N×4, objectness logits B×N."""
    boxes = decode(raw, corners, strides)
    centres = (corners + 0.5) * strides
    target = torch.zeros_like(obj)
    weight = torch.ones_like(obj)
    parts: list[torch.Tensor] = []
    positives = 0
    for i, truth in enumerate(truths):
        if len(truth.ignored):
            low, high = truth.ignored[:, None, :2], truth.ignored[:, None, 2:]
            weight[i, ((centres > low) & (centres < high)).all(-1).any(0)] = 0
        if not len(truth.boxes):
            continue
        with torch.no_grad():
            cells, label_of, iou = assign(cls[i], obj[i], boxes[i], centres, strides, truth)
        target[i, cells], weight[i, cells] = 1, 1
        positives += len(cells)
        overlap = iou_of(boxes[i, cells], truth.boxes[label_of])
        wanted = nnf.one_hot(truth.classes[label_of], cls.shape[2]).float() * iou[:, None]
        parts.append(BOX_WEIGHT * (1 - overlap**2).sum())
        parts.append(nnf.binary_cross_entropy_with_logits(cls[i, cells], wanted, reduction="sum"))
    parts.append(nnf.binary_cross_entropy_with_logits(obj, target, weight, reduction="sum"))
    return torch.stack(parts).sum() / max(positives, 1)
