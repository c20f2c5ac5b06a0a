"""What a server is started with."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Settings:
    """What a server is started with.

    Parameters
    ----------
    data : Path
        The folder of database, uploads and results.
    host, port : str, int
        Where it listens; port 0 takes a free one.
    token : str or None
        What clients have to show; it may be missing on this machine alone.
    jobs : int
        Jobs that run at once.
    memory_mb : int
        Address space of a job's process, MB; 0 for no limit.
    time_limit : float
        Seconds after which a job is ended.
    upload_mb : int
        Largest file that is taken, MB.
    waiting : int
        Most jobs that wait; one more is refused with 429.
    rate : int
        Most requests of one client in a minute; 0 for no limit.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    jobs: int = 1
    memory_mb: int = 8000
    time_limit: float = 3600.0
    upload_mb: int = 200
    waiting: int = 100
    rate: int = 0

    @property
    def upload_bytes(self) -> int:
        """Largest body of an upload."""
        return self.upload_mb * MEGABYTE


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
