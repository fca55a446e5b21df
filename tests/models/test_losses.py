"""Every loss against its formula in NumPy, its edges, and where its gradients go."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slipway.errors import UsageError
from slipway.models.losses.distillation import (
    divergence,
    hinton,
    hit_consistency,
    temporal_consistency,
)
from slipway.models.losses.sums import CkdLoss, MskdLoss
from slipway.models.losses.transfer import (
    domain_alignment,
    linear_cka,
    replacement_probability,
    switch_weight,
    temporal_efficient,
)
from slipway.models.losses.transfer import (
    replace as replace_samples,
)
from slipway.models.students.transfer import Streams
from torch import Tensor

Array = np.ndarray[Any, Any]
STEPS, SAMPLES, CLASSES = 4, 6, 5


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def cross_entropy(logits: Array, labels: Array, smoothing: float = 0.0) -> Array:
    """One number a sample; the target is (1 - s) one-hot + s / classes."""
    logs = np.log(softmax(logits))
    own = np.take_along_axis(logs, np.expand_dims(labels, -1), axis=-1)[..., 0]
    return np.asarray(-(1 - smoothing) * own - smoothing * logs.mean(axis=-1))


def kl(student: Array, teacher: Array, temperature: float) -> Array:
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    return np.asarray(temperature**2 * (p * np.log(p / q)).sum(axis=-1))


def draw(seed: int, *shape: int, scale: float = 2.0) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(scale * rng.standard_normal(shape)).requires_grad_()


def labels(seed: int = 0, samples: int = SAMPLES) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, CLASSES, samples))


def array(x: Tensor) -> Array:
    return np.asarray(x.detach().numpy())


@settings(deadline=None)
@given(seed=st.integers(0, 999), temperature=st.floats(0.5, 8), alpha=st.floats(0, 1))
def test_hinton(seed: int, temperature: float, alpha: float) -> None:
    student, teacher, truth = draw(seed, 6, 5), draw(seed + 1, 6, 5), labels(seed)
    found = hinton(student, teacher, truth, alpha, temperature)
    taught = kl(array(student), array(teacher), temperature).mean()
    own = cross_entropy(array(student), array(truth)).mean()
    assert float(found.detach()) == pytest.approx(alpha * taught + (1 - alpha) * own)


def test_the_teacher_gets_no_gradient_and_the_student_does() -> None:
    truth = labels()
    losses: list[Any] = [
        lambda s, t: hinton(s[0], t[0], truth, 0.5, 2.0),
        lambda s, t: hit_consistency(s, t, truth, 2.0),
        lambda s, t: temporal_consistency(s, t, 2.0),
        lambda s, t: temporal_consistency(s, t, 2.0, "similarity"),
    ]
    for seed, loss in enumerate(losses):
        student = draw(seed, STEPS, SAMPLES, CLASSES)
        teacher = (4 * torch.nn.functional.one_hot(truth, CLASSES)).double()
        teacher = (teacher + draw(seed + 50, STEPS, SAMPLES, CLASSES)).detach().requires_grad_()
        loss(student, teacher).backward()
        assert teacher.grad is None
        assert student.grad is not None
        assert student.grad.abs().sum() > 0


def test_divergence_at_its_edges() -> None:
    x = draw(0, SAMPLES, CLASSES)
    assert array(divergence(x, x, 3.0)) == pytest.approx(0, abs=1e-15)
    assert array(divergence(x + 7, x, 3.0)) == pytest.approx(0, abs=1e-14)  # a shift is nothing
    assert (array(divergence(x, draw(1, SAMPLES, CLASSES), 1.0)) > 0).all()
    huge = torch.tensor([[1e4, -1e4, 0.0]], dtype=torch.float32)
    found = divergence(huge, -huge, 1.0)
    assert torch.isfinite(found).all()
    assert float(found) == pytest.approx(2e4)
    # Hinton's limit of high temperatures: half the mean squared difference of centred logits.
    s, t = draw(2, 3, CLASSES), draw(3, 3, CLASSES)
    d = array(s) - array(s).mean(1, keepdims=True) - array(t) + array(t).mean(1, keepdims=True)
    assert array(divergence(s, t, 1e4)) == pytest.approx((d**2).mean(axis=1) / 2, rel=1e-3)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_hit_consistency(temperature: float) -> None:
    student, teacher = (draw(s, STEPS, SAMPLES, CLASSES) for s in (3, 4))
    truth = labels(5)
    ours, theirs, own = array(student).mean(0), array(teacher).mean(0), array(truth)
    hits = theirs.argmax(1) == own
    assert 0 < hits.sum() < SAMPLES
    weight = softmax(theirs)[np.arange(SAMPLES), own] * hits
    expected = (weight * kl(ours, theirs, temperature)).mean()
    found = float(hit_consistency(student, teacher, truth, temperature).detach())
    assert found == pytest.approx(expected)
    whole = hit_consistency(student, teacher.mean(dim=0), truth, temperature)
    assert float(whole.detach()) == pytest.approx(expected)
    # The teacher's number of steps need not be the student's.
    other = hit_consistency(student, teacher.mean(0, keepdim=True), truth, temperature)
    assert float(other.detach()) == pytest.approx(expected)


def test_a_teacher_that_is_always_wrong_teaches_nothing() -> None:
    student, teacher = (draw(s, STEPS, SAMPLES, CLASSES) for s in (3, 4))
    worst = teacher.mean(dim=0).argmin(dim=-1)
    loss = hit_consistency(student, teacher, worst, 2.0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert student.grad is not None
    assert float(student.grad.abs().max()) == 0


def test_temporal_consistency() -> None:
    student, teacher = (draw(s, STEPS, SAMPLES, CLASSES) for s in (6, 7))
    s, t = array(student), array(teacher)
    found = float(temporal_consistency(student, teacher, 2.0).detach())
    assert found == pytest.approx(kl(s, t, 2.0).mean())
    expected = 0.0
    for n in range(SAMPLES):
        for i in range(STEPS):
            for j in range(STEPS):
                pairs = []
                for x in (s, t):
                    a, b = softmax(x[i, n] / 2), softmax(x[j, n] / 2)
                    pairs.append(a @ b / math.sqrt(a @ a) / math.sqrt(b @ b))
                expected += float((pairs[0] - pairs[1]) ** 2)
    found = float(temporal_consistency(student, teacher, 2.0, "similarity").detach())
    assert found == pytest.approx(expected / SAMPLES / STEPS**2)


def test_temporal_consistency_at_its_edges() -> None:
    still = draw(0, 1, SAMPLES, CLASSES).expand(STEPS, SAMPLES, CLASSES)
    other = draw(1, 1, SAMPLES, CLASSES).expand(STEPS, SAMPLES, CLASSES)
    # Neither moves: the similarity sees no difference, the logits do.
    assert float(temporal_consistency(still, other, 1.0, "similarity").detach()) < 1e-20
    assert float(temporal_consistency(still, other, 1.0).detach()) > 0.1
    with pytest.raises(UsageError, match=r"\(4, 6, 5\), the teacher's \(1, 6, 5\)"):
        temporal_consistency(still, other[:1], 1.0)
    with pytest.raises(UsageError, match="form is 'cosine'"):
        temporal_consistency(still, other, 1.0, "cosine")  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_temperatures_that_are_none(temperature: float) -> None:
    x = draw(0, STEPS, SAMPLES, CLASSES)
    losses: list[Any] = [
        lambda: divergence(x, x, temperature),
        lambda: temporal_consistency(x, x, temperature, "similarity"),
        lambda: hit_consistency(x, x, labels(), temperature),
    ]
    for loss in losses:
        with pytest.raises(UsageError, match="temperature is"):
            loss()
    with pytest.raises(UsageError, match=r"alpha is 1\.5"):
        hinton(x[0], x[0], labels(), 1.5, 2.0)


@settings(deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0, 1), smoothing=st.sampled_from([0, 0.1]))
def test_temporal_efficient(seed: int, share: float, smoothing: float) -> None:
    logits, truth = draw(seed, STEPS, SAMPLES, CLASSES), labels(seed)
    w = np.random.default_rng(seed).random(STEPS)
    x, own = array(logits), array(truth)
    terms = [
        (1 - share) * cross_entropy(x[t], own, smoothing).mean()
        + share * ((x[t] - 0.5) ** 2).mean()
        for t in range(STEPS)
    ]
    options: Any = {"mse_share": share, "label_smoothing": smoothing}
    found = temporal_efficient(logits, truth, **options)
    assert float(found.detach()) == pytest.approx(float(np.mean(terms)))
    found = temporal_efficient(logits, truth, step_weights=torch.from_numpy(w), **options)
    assert float(found.detach()) == pytest.approx(float(np.mean(w * terms)))


def cka_by_hand(x: Array, y: Array) -> float:
    """From the features' covariances: |Y'X|^2 / (|X'X| |Y'Y|), Kornblith et al., eq. 5."""
    x, y = x - x.mean(0), y - y.mean(0)
    norm = np.linalg.norm
    return float(norm(y.T @ x) ** 2 / (norm(x.T @ x) * norm(y.T @ y)))


def test_linear_cka() -> None:
    x, y = draw(0, 12, 7), draw(1, 12, 9)
    found = float(linear_cka(x, y).detach())
    assert found == pytest.approx(cka_by_hand(array(x), array(y)), rel=1e-6)
    assert 0 < found < 1
    rotation = torch.linalg.qr(draw(2, 7, 7)).Q
    alike = 3 * x @ rotation + 5
    assert float(linear_cka(x, alike).detach()) == pytest.approx(1, abs=1e-6)
    same = float(linear_cka(y, x).detach())
    assert same == pytest.approx(found)


@pytest.mark.parametrize("shape", [(1, 4), (5, 4)])
def test_features_without_variance_have_no_alignment_and_a_finite_gradient(
    shape: tuple[int, int],
) -> None:
    x, y = torch.ones(shape, requires_grad=True), torch.randn(shape)
    found = linear_cka(x, y)
    assert float(found.detach()) == 0
    (gradient,) = torch.autograd.grad(found, x)
    assert torch.isfinite(gradient).all()


def test_domain_alignment() -> None:
    x, y = draw(0, STEPS, 8, 6), draw(1, STEPS, 8, 6)
    c = torch.tensor([1.0, -2.0, 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    gates = 1 / (1 + np.exp(-array(c)))
    distances = [1 - abs(cka_by_hand(array(x)[t], array(y)[t])) for t in range(STEPS)]
    found = domain_alignment(x, y, c)
    assert float(found.detach()) == pytest.approx(float(np.mean(gates * distances)), rel=1e-6)
    (gradient,) = torch.autograd.grad(found, c)
    assert array(gradient) == pytest.approx(gates * (1 - gates) * distances / STEPS, rel=1e-6)
    plain = float(domain_alignment(x, y, None).detach())
    assert plain == pytest.approx(float(np.mean(distances)), rel=1e-6)


def test_replacement_goes_from_none_to_all() -> None:
    def at(batch: int, epoch: int) -> float:
        return replacement_probability(batch, epoch, batches=10, epochs=4)

    assert at(0, 0) == 0
    assert at(0, 2) == pytest.approx(0.125)
    assert at(5, 1) == pytest.approx((15 / 40) ** 3)
    assert at(0, 4) == at(9, 7) == 1
    walk = [at(batch, epoch) for epoch in range(4) for batch in range(10)]
    assert walk == sorted(walk)
    assert replacement_probability(5, 0, batches=10, epochs=1, power=1) == 0.5


def test_samples_are_replaced_whole_and_as_often_as_said() -> None:
    static, events = torch.zeros(3, 2000, 2, 2), torch.ones(3, 2000, 2, 2)
    mixed = replace_samples(static, events, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(mixed.amin(dim=(0, 2, 3)), mixed.amax(dim=(0, 2, 3)))
    assert float(mixed.mean()) == pytest.approx(0.3, abs=0.03)
    again = replace_samples(static, events, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(mixed, again)
    assert torch.equal(
        replace_samples(static, events, 0.0, torch.Generator().manual_seed(0)), static
    )
    assert torch.equal(
        replace_samples(static, events, 1.0, torch.Generator().manual_seed(0)), events
    )
    # As many random numbers are drawn whatever the probability is.
    first, second = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    replace_samples(static, events, 0.0, first)
    replace_samples(static, events, 0.9, second)
    assert torch.equal(first.get_state(), second.get_state())


def test_the_switch() -> None:
    assert switch_weight(0) == pytest.approx(1 / (1 + math.exp(-5)))
    assert switch_weight(0.5) == 0.5
    assert switch_weight(1) == pytest.approx(1 / (1 + math.exp(5)))
    assert switch_weight(0.3, at=0.3, steepness=50) == 0.5
    assert switch_weight(0.25, steepness=8) == pytest.approx(1 / (1 + math.exp(-2)))
    with pytest.raises(UsageError, match=r"progress is 1\.2"):
        switch_weight(1.2)


def mskd(loss: MskdLoss) -> tuple[dict[str, float], dict[str, float]]:
    student, teacher = (draw(s, STEPS, SAMPLES, CLASSES) for s in (3, 4))
    truth = labels(5)
    terms = loss(student, teacher, truth)
    expected = {
        "classification": cross_entropy(array(student).mean(0), array(truth)).mean(),
        "hit": float(hit_consistency(student, teacher, truth, 4.0).detach()),
        "temporal": float(temporal_consistency(student, teacher, 4.0).detach()),
    }
    return {k: float(v.detach()) for k, v in terms.items()}, expected


def test_the_whole_of_mskd() -> None:
    found, expected = mskd(MskdLoss(alpha=0.3, hit=2.0, temporal=0.5, temperature=4.0))
    total = 0.7 * expected["classification"]
    total += 0.3 * (2 * expected["hit"] + 0.5 * expected["temporal"])
    assert found == pytest.approx(expected | {"total": total})


@pytest.mark.parametrize(
    ("off", "kept"),
    [
        ({"hit": 0.0}, {"classification", "temporal", "total"}),
        ({"temporal": 0.0}, {"classification", "hit", "total"}),
        ({"hit": 0.0, "temporal": 0.0}, {"classification", "total"}),
        ({"alpha": 0.0}, {"classification", "total"}),
    ],
)
def test_each_term_of_mskd_can_be_left_out(off: dict[str, Any], kept: set[str]) -> None:
    loss = replace(MskdLoss(alpha=0.3, temperature=4.0), **off)
    found, expected = mskd(loss)
    assert set(found) == kept
    total = (1 - loss.alpha) * expected["classification"]
    total += loss.alpha * (loss.hit * expected["hit"] + loss.temporal * expected["temporal"])
    assert found["total"] == pytest.approx(total)


def streams(seed: int = 0) -> Streams:
    return Streams(
        draw(seed, STEPS, SAMPLES, CLASSES),
        draw(seed + 1, STEPS, SAMPLES, CLASSES),
        draw(seed + 2, STEPS, SAMPLES, 7),
        draw(seed + 3, STEPS, SAMPLES, 7),
    )


def ckd_by_hand(loss: CkdLoss, s: Streams, c: Tensor, t: Tensor, own: Tensor) -> Any:
    gate = 1 / (1 + np.exp(-array(c)))

    def tet(logits: Array, w: Array) -> float:
        if not loss.per_step:
            return float(w.mean() * cross_entropy(logits.mean(axis=0), array(own)).mean())
        first = cross_entropy(logits, np.tile(array(own), (STEPS, 1))).mean(axis=1)
        second = ((logits - 0.5) ** 2).mean(axis=(1, 2))
        return float((w * (0.999 * first + 0.001 * second)).mean())

    ones = np.ones(STEPS)
    learned = loss.learned_steps
    pairs = zip(array(s.static_features), array(s.event_features), strict=True)
    far = np.array([1 - cka_by_hand(x, y) for x, y in pairs])
    return {
        "static": tet(array(s.static_logits), ones),
        "events": tet(array(s.event_logits), 1 - gate if learned else ones),
        "distillation": kl(array(s.static_logits).mean(0), array(t), loss.temperature).mean(),
        "alignment": ((gate if learned else ones) * far).mean(),
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learned_steps": False},
        {"per_step": False},
        {"per_step": False, "learned_steps": False},
        {"distillation": 0.0},
        {"alignment": 0.0},
        {"static": 0.0},
        {"events": 0.0, "alignment": 2.0},
        {"distillation": 3.0, "temperature": 1.5},
    ],
)
def test_the_whole_of_ckd_and_each_term_left_out(options: dict[str, Any]) -> None:
    loss, s, truth = CkdLoss(**options), streams(), labels()
    c, teacher = draw(8, STEPS), draw(9, SAMPLES, CLASSES)
    weights = {
        "static": loss.static,
        "events": loss.events,
        "distillation": 0.25 * loss.distillation,
        "alignment": loss.alignment,
    }
    expected = ckd_by_hand(loss, s, c, teacher, truth)
    kept = {name: value for name, value in expected.items() if weights[name]}
    total = sum(weights[name] * value for name, value in kept.items())
    terms = loss(s, c, teacher if loss.distillation else None, truth, switch=0.25)
    found = {name: float(term.detach()) for name, term in terms.items()}
    assert found == pytest.approx(kept | {"total": total}, rel=1e-5)
    terms["total"].backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None
    assert (c.grad is not None) == (loss.learned_steps and bool(loss.events + loss.alignment))


def test_distillation_reaches_the_static_stream_only() -> None:
    s, c = streams(), draw(8, STEPS)
    loss = CkdLoss(static=0.0, events=0.0, alignment=0.0)
    loss(s, c, draw(9, SAMPLES, CLASSES), labels(), 1.0)["total"].backward()  # type: ignore[no-untyped-call]
    assert s.static_logits.grad is not None
    assert s.event_logits.grad is None


def test_a_missing_teacher_and_weights_out_of_range_are_told() -> None:
    student, truth = draw(0, STEPS, SAMPLES, CLASSES), labels()
    with pytest.raises(UsageError, match=r"hit consistency needs the teacher(.|\n)*weight"):
        MskdLoss()(student, None, truth)
    assert set(MskdLoss(alpha=0)(student, None, truth)) == {"classification", "total"}
    with pytest.raises(UsageError, match="distillation needs the teacher"):
        CkdLoss()(streams(), draw(1, STEPS), None, truth, 0.5)
    assert "distillation" not in CkdLoss()(streams(), draw(1, STEPS), None, truth, 0.0)
    nothing = CkdLoss(static=0, events=0, alignment=0, distillation=0)
    with pytest.raises(UsageError, match="all terms"):
        nothing(streams(), draw(1, STEPS), None, truth, 0.5)
    with pytest.raises(UsageError) as caught:
        MskdLoss(alpha=1.2, hit=-1.0, temperature=0.0)
    assert len(caught.value.problems) == 3
    with pytest.raises(UsageError, match="mse_share is -1"):
        CkdLoss(mse_share=-1)
