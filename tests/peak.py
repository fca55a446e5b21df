"""The most memory that a process of its own has held, for tests that start one."""

# Not getrusage's ru_maxrss: across fork and exec that keeps what the parent held.
PEAK = """
def peak():
    \"\"\"Most bytes that this process has held so far.\"\"\"
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
"""
