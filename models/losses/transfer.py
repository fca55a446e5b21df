"""From pictures to events: TET loss, domain alignment, sliding replacement, the phased switch.

He et al., AAAI 2024, code Brain-Cog-Lab/Transfer-for-DVS, main_transfer.py and CKA.py; the
switch after Ye et al. (CKD), arXiv 2507.09269. Facts: students.md 3.1 and 3.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UsageError

EPSILON = 1e-7
"""Added to CKA's denominator, as the base's code does: features without variance give 0."""


def temporal_efficient(
    logits: Tensor,
    labels: Tensor,
    *,
    mse_share: float = 1e-3,
    mse_target: float = 0.5,
    step_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """L = mean_t w_t ((1 - lam) CE(logits_t, labels) + lam mean (logits_t - target)^2).

    Deng et al. (TET), arXiv 2202.11946, as the base's code has it: its target is the neurons'
    threshold.

    Args:
        logits: (T, N, classes).
        labels: (N,) class indices.
        mse_share: lam, 0 to 1.
        mse_target: what logits are drawn towards.
        step_weights: w, (T,); None: ones. The base weighs its event stream by 1 - sigmoid(c).
        label_smoothing: of the cross-entropy.
    """
    steps, samples = logits.shape[:2]
    entropy = functional.cross_entropy(
        logits.flatten(0, 1),
        labels.repeat(steps),
        reduction="none",
        label_smoothing=label_smoothing,
    ).view(steps, samples)
    spread = (logits - mse_target).square().mean(dim=(1, 2))
    terms = (1 - mse_share) * entropy.mean(dim=1) + mse_share * spread
    return (terms if step_weights is None else step_weights * terms).mean()


def linear_cka(x: Tensor, y: Tensor) -> Tensor:
    """Linear centred kernel alignment of two sets of features of the same N samples.

    CKA = <Kx, Ky> / (|Kx| |Ky| + 1e-7) with Kx = H x x' H, Ky alike, H = I - 1/N, Frobenius
    products. Kornblith et al., arXiv 1905.00414, section 3; the biased estimate. 1 if one is
    the other up to rotation, scale and shift; 0 for less than two samples.

    Args:
        x: (N, F).
        y: (N, G).
    """
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    kx, ky = x @ x.T, y @ y.T
    aligned: Tensor = (kx * ky).sum() / (kx.norm() * ky.norm() + EPSILON)
    return aligned


def domain_alignment(static: Tensor, events: Tensor, coefficients: Tensor | None) -> Tensor:
    """L = mean_t sigmoid(c_t) (1 - |CKA(static_t, events_t)|).

    Args:
        static: features of the static stream, (T, N, F).
        events: features of the event stream, (T, N, F).
        coefficients: c, (T,), learnable; None: 1 in place of the sigmoid.
    """
    distances = torch.stack(
        [1 - linear_cka(x, y).abs() for x, y in zip(static, events, strict=True)]
    )
    return (distances if coefficients is None else coefficients.sigmoid() * distances).mean()


def replacement_probability(
    batch: int, epoch: int, *, batches: int, epochs: int, power: float = 3.0
) -> float:
    """P = min(1, ((batch + epoch B) / (E B))^power): from pictures to events over a training.

    Args:
        batch: counted from 0 in each epoch.
        epoch: counted from 0.
        batches: B, of an epoch.
        epochs: E, of the training.
        power: 3 in the base: late.
    """
    return float(min(1.0, ((batch + epoch * batches) / (epochs * batches)) ** power))


def replace(
    static: Tensor, events: Tensor, probability: float, generator: torch.Generator
) -> Tensor:
    """Each sample of the static stream becomes its event sample with that probability.

    Args:
        static: (T, N, ...).
        events: (T, N, ...).
        probability: 0 to 1.
        generator: of the draws, on the CPU; one draw a sample, whatever the probability is.

    Returns:
        A new tensor, (T, N, ...).
    """
    chosen = torch.rand(static.shape[1], generator=generator) < probability
    mask = chosen.to(static.device).view(1, -1, *(1,) * (static.ndim - 2))
    return torch.where(mask, events, static)


def switch_weight(progress: float, *, at: float = 0.5, steepness: float = 10.0) -> float:
    """Factor w = 1 / (1 + exp(steepness (progress - at))): from 1, phase one, to 0, phase two.

    CKD's figure shows a sigmoid-shaped switch and states neither place nor steepness.

    Args:
        progress: fraction of the training that is done, 0 to 1.
        at: where w is one half.
        steepness: per training; 10 is 10 / E per epoch.

    Raises:
        UsageError: progress is no fraction.
    """
    if not 0 <= progress <= 1:
        raise UsageError(f"progress is {progress}", remedy="give a fraction from 0 to 1")
    return 1.0 / (1.0 + math.exp(steepness * (progress - at)))
