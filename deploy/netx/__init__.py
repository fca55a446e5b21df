"""lava-dl's network files (`.net`, HDF5) to a Program and back; see docs/netx.md."""

from .check import check_net
from .loading import Loading
from .read import read_net
from .write import write_net

__all__ = ["Loading", "check_net", "read_net", "write_net"]
