"""torch and norse are optional: without them only the reader is tested."""

from __future__ import annotations

import importlib.util
import warnings

collect_ignore: list[str] = []
if importlib.util.find_spec("torch") and importlib.util.find_spec("norse"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # norse 1.1.0 uses torch.jit.script, now deprecated
        import norse.torch  # noqa: F401
else:
    collect_ignore += [
        "test_checkpoint.py",
        "test_concatenation.py",
        "test_export.py",
        "test_export_ports.py",
        "test_export_refusals.py",
        "test_norse_cells.py",
        "test_torch_pools.py",
    ]
