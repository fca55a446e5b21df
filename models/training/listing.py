"""What recipes there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .. import networks
from ..counting import parameters_of
from .catalogue import names
from .data import CLASSES
from .reading import builder_options
from .reading import load as load_recipe


def listing() -> Iterator[tuple[str, dict[str, Any]]]:
    """The recipes that come with slipway: paper, sentence, parameters, data, method.

    Networks are built on torch's meta device, without memory for the weights.
    """
    for name in names():
        recipe = load_recipe(name)
        options = dict(recipe.network.options)
        if "classes" in builder_options(recipe.network.name):
            options.setdefault("classes", CLASSES[recipe.data.name])
        with torch.device("meta"):
            parameters = parameters_of(networks.build(recipe.network.name, **options))
        film = recipe.data.film
        yield (
            name,
            {
                "paper": recipe.paper,
                "parameters": parameters,
                "about": recipe.about,
                "network": recipe.network.name,
                "method": recipe.method.name,
                "data": recipe.data.name,
                "simulated": film != "none",
                "teacher": recipe.teacher.recipe if recipe.teacher else None,
            },
        )
