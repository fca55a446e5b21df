"""What netx says of files when it loads them: net_load.py JOB.

JOB/settings.json lists files. Writes JOB/said.json: "" for each that netx loads, else the
exception.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from slipway.tests.deploy.netx.lava_dl import import_netx

warnings.simplefilter("ignore")
netx = import_netx()
job = Path(sys.argv[1])
said = {}
for name in json.loads((job / "settings.json").read_text()):
    try:
        netx.Network(net_config=str(job / name))
        said[name] = ""
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"
(job / "said.json").write_text(json.dumps(said))
