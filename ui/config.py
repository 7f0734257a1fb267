"""What `himed-ui` is told: where the gateway and the results are, and where it listens."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from app.endpoint.settings import normalise_base_url


@dataclass(frozen=True, slots=True)
class UiConfig:
    """The page's settings.

    Attributes:
        gateway: the gateway's URL; ``/v1`` is added where it is missing.
        api_key: the gateway's key for this page; None for an open gateway.
        db: SQLAlchemy URL of the results database, which also holds accounts and votes.
        host: interface to listen on.
        port: 0 takes a free one.
        sign_in: whether people sign in; always on any interface but loopback.
        checkpoints: folders below which checkpoints are looked for, for their training curves.
    """

    gateway: str
    api_key: SecretStr | None
    db: str
    host: str = "127.0.0.1"
    port: int = 7860
    sign_in: bool = False
    checkpoints: tuple[Path, ...] = ()

    @property
    def base_url(self) -> str:
        """The gateway's address with ``/v1``.

        Raises:
            InputError: it is no http(s) URL, or holds a password.
        """
        return normalise_base_url(self.gateway, "HIMED_API_KEY")
