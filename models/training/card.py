"""The model card: what a network is, what it learned from, what it is good for and what not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...files import write_text
from .metrics import DEFINITIONS


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a data set, for the card.

    Attributes:
        terms: where it comes from, and on which terms it may be used.
        known: what is known of its labels and of whom it shows.
    """

    terms: str
    known: tuple[str, ...] = ()


_PEOPLE = (
    "Nothing is recorded of the age, sex or origin of the people shown: what differs between "
    "them cannot be measured here, and must be expected."
)

ORIGINS: dict[str, Origin] = {
    "digits": Origin("scikit-learn's copy of the UCI set of handwritten digits, CC BY 4.0"),
    "fer2013": Origin(
        "FER2013 (Goodfellow et al., Challenges in Representation Learning, ICML 2013): faces "
        "scraped from the web, for research; the licence of the pictures is unclear. None "
        "is part of slipway or of these files",
        (
            "Labels are noisy: 57 groups of identical pictures carry more than one label, and "
            "some pictures are drawings, text or nearly constant.",
            "Classes are unequal: 1.5 % of the training pictures show disgust, 25 % happiness.",
            "Scraped from the web: not a sample of any people that a camera would meet.",
            _PEOPLE,
        ),
    ),
    "raf-db": Origin("RAF-DB: signed agreement, non-commercial research only", (_PEOPLE,)),
    "see": Origin(
        "SEE (Zhang et al., ICCV 2023): on application to its authors",
        ("89 of its 111 people occur in the test set: no figure is about new people.",),
    ),
    "dsee": Origin("DSEE (Wang et al., 2024): on application to its authors"),
    "n-caltech101": Origin("N-Caltech101 (Orchard et al. 2015): see its page"),
    "cep-dvs": Origin("CEP-DVS: see the page of its authors"),
    "cifar10-dvs": Origin("CIFAR10-DVS (Li et al. 2017): see its page"),
}
"""Data set -> what the card says of it; docs/datasets.md has where it is to be had."""

_FLOATING = "The figures are floating-point; `slipway compile` tells what integers change."
_FACES = ("fer2013", "raf-db", "see", "dsee")


def write_card(folder: Path, metrics: Mapping[str, Any], compared: list[str]) -> None:
    """model-card.md: data, licence, figures, limits, intended use, bias, deviations.

    Args:
        folder: where.
        metrics: of the training, as in metrics.json.
        compared: sentences to stand with the figures.
    """
    lines = [
        f"# {metrics['recipe']}, seed {metrics['seed']}",
        "",
        f"{metrics['network']}, {metrics['parameters']:,} parameters, method "
        f"{metrics['method']}{_alone(metrics)}. After {metrics['paper']}.",
        *_section("Data", _data(metrics)),
        *_section("Licence", _licence(metrics)),
        *_section("Intended use", _use(metrics)),
        *_section("Figures", _figures(metrics, compared)),
        *_section("Limits", _bullets(_limits(metrics))),
        *_section("Bias", _bias(metrics)),
        *_section(
            "Deviations from the paper",
            _bullets(
                [*metrics["deviations"], "what holds for all: docs/students.md of slipway"]
            ),
        ),
    ]
    write_text(folder / "model-card.md", "\n".join(lines) + "\n")


def _alone(metrics: Mapping[str, Any]) -> str:
    """Whether the method was used without its teacher."""
    without = metrics["settings"].get("method", {}).get("alpha") == 0
    return " with alpha 0: taught by the labels alone" if without else ""


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return ["", f"## {title}", "", *lines]


def _bullets(texts: Iterable[str]) -> list[str]:
    return [f"- {text}" for text in texts]


def _set_of(metrics: Mapping[str, Any]) -> str:
    return str(metrics["settings"]["data"]["name"])


def _origin(metrics: Mapping[str, Any]) -> Origin:
    return ORIGINS.get(_set_of(metrics), Origin("see the page of the data set"))


def _data(metrics: Mapping[str, Any]) -> list[str]:
    told = []
    if metrics["simulated"]:
        told += ["**The events are SIMULATED**, recorded by no camera.", ""]
    facts = ", ".join(f"{k} {v}" for k, v in metrics["data_facts"].items() if k != "duplicates")
    return [*told, f"{metrics['data']}: {facts}.", "", *_bullets(metrics["data_notes"])]


def _licence(metrics: Mapping[str, Any]) -> list[str]:
    return _bullets(
        [
            f"Data: {_origin(metrics).terms}.",
            "Weights: Apache-2.0, as slipway, as far as its authors can grant it. Whether the "
            "terms of training data reach the weights learned from them is not settled: look "
            "at both before any use that is not research.",
        ]
    )


def _use(metrics: Mapping[str, Any]) -> list[str]:
    told = [
        "Research on small networks: export, quantisation, neuromorphic simulation, and what "
        "an inference costs."
    ]
    if _set_of(metrics) in _FACES:
        told.append(
            "Not for judging people: not their feelings, attention, honesty, health or fitness "
            "for anything. A face that was labelled with an emotion by others is not that "
            "person's emotion."
        )
    return _bullets(told)


def _quantised(metrics: Mapping[str, Any]) -> list[str]:
    """What the integers cost, and what fine-tuning in them gave back."""
    chosen = metrics.get("quantise")
    if chosen is None:
        return []
    before, rounded = (f"{chosen[name]['war']:.4f}" for name in ("float", "rounded"))
    return [
        f"in integers, weights of {chosen['weight_bits']} bits, --code {chosen['code']}; "
        f"fine-tuned so for {chosen['epochs']} epochs. In floating point before: WAR {before}; "
        f"rounded to nearest, before fine-tuning: WAR {rounded}"
    ]


def _figures(metrics: Mapping[str, Any], compared: list[str]) -> list[str]:
    best = metrics["best_epoch"] or metrics["epochs"]
    return [
        f"Test split, {metrics['items']} items: WAR {metrics['war']:.4f}, UAR "
        f"{metrics['uar']:.4f}, F1 {metrics['f1']:.4f}. Epochs: {metrics['epochs']}, ended by "
        f"{metrics['ended']}; weights of epoch {best}.",
        "",
        *_bullets(f"{name}: {text}" for name, text in DEFINITIONS.items()),
        *_bullets([*_quantised(metrics), *compared]),
    ]


def _limits(metrics: Mapping[str, Any]) -> list[str]:
    shape = "x".join(map(str, metrics["sample_shape"]))
    steps = f", {metrics['time_steps']} time steps" if metrics.get("time_steps") else ""
    share = 100 * (1 - metrics["war"])
    told = [
        f"It sees {shape}{steps}, prepared as the recipe's [input] says, and nothing else; "
        "what is not of its classes gets one of them all the same.",
        f"{share:.1f} % of the test items are answered wrongly; the table below says which.",
        *([] if "quantise" in metrics else [_FLOATING]),
        "No chip has run it: what slipway says of energy and time is estimated.",
    ]
    if metrics["simulated"]:
        told.append("It has seen simulated events only; real sensors were never tried.")
    return told


def _bias(metrics: Mapping[str, Any]) -> list[str]:
    """Measured by class: how many items, how many of them are found, how often it is right."""
    matrix = metrics["confusion"]
    answered = [sum(row[k] for row in matrix) for k in range(len(matrix))]
    rows = [
        f"| {name} | {sum(matrix[k])} | {recall:.4f} | "
        + (f"{matrix[k][k] / answered[k]:.4f} |" if answered[k] else "never answered |")
        for k, (name, recall) in enumerate(metrics["recall"].items())
    ]
    found = metrics["recall"]
    worst, best = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
    return [
        f"Of {best} {100 * found[best]:.1f} % are found, of {worst} "
        f"{100 * found[worst]:.1f} %. "
        "Recall: right answers of all items of a class; precision: of all its answers.",
        "",
        "| class | test items | recall | precision |",
        "|---|---|---|---|",
        *rows,
        "",
        *_bullets(_origin(metrics).known),
    ]
