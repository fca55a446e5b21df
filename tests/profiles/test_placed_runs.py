"""The fixtures agree with themselves, as a run's counts do."""

from __future__ import annotations

import json

import pytest
from slipway.profiles.run_file import check_run

from .placed_runs import COUNTED, placed


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_conservation(rate: float) -> None:
    run = json.loads(json.dumps(placed(rate=rate)))
    check_run(run, where="fixture")
    traffic, placement = run["traffic"], run["placement"]
    cores = placement["cores"]
    for key in COUNTED:
        assert traffic[key] == sum(entry[key] for entry in traffic["sources"].values())
    assert traffic["hops"] == sum(link["messages"] for link in placement["links"])
    assert traffic["hops"] == traffic["hops_east_west"] + traffic["hops_north_south"]
    assert traffic["messages"] == sum(core["axon_out"] for core in cores)
    received = sum(core["spikes_in"] for core in cores)
    assert traffic["messages"] + traffic["host_messages_in"] == received
    synops = sum(entry["synops"] for entry in run["projections"].values())
    assert synops == sum(core["syn_ops"] for core in cores)
    assert (synops > 0) == (rate > 0)
