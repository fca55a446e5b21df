"""The Lava executor: Lava processes, stock or our own, supervised in a session of their own."""

from .environment import Environment, probe
from .supervisor import DEFAULT_TIMEOUT, execute, execute_many

__all__ = ["DEFAULT_TIMEOUT", "Environment", "execute", "execute_many", "probe"]
