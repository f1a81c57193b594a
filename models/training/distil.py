"""Soft targets: what a teacher on the same grid of cells answers, cell by cell.

The teacher is a model of this project (or the published one), so that its nine heads line up with the pupil's. It looks
at the clean picture while the pupil may look at the degraded one: what can be seen by day is there at night as well.

Invariant: no gradient runs into the teacher.
"""

import torch
import torch.nn.functional as nnf

from models.training.loss import BOX_WEIGHT, decode, iou_of

Heads = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Class logits B×N×5, raw boxes B×N×4, objectness logits B×N."""


def soft_loss(pupil: Heads, teacher: Heads, corners: torch.Tensor, strides: torch.Tensor) -> torch.Tensor:
    """Objectness everywhere; classes and boxes as far as the teacher is sure that something is there."""
    (cls, raw, obj), (their_cls, their_raw, their_obj) = pupil, teacher
    sure = their_obj.sigmoid()
    parts = [nnf.binary_cross_entropy_with_logits(obj, sure, reduction="sum")]
    classes = nnf.binary_cross_entropy_with_logits(cls, their_cls.sigmoid(), reduction="none").sum(-1)
    overlap = iou_of(decode(raw, corners, strides), decode(their_raw, corners, strides))
    parts.append((sure * (classes + BOX_WEIGHT * (1 - overlap**2))).sum())
    return torch.stack(parts).sum() / sure.sum().clamp(min=1)
