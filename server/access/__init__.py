"""Who may ask, what, and how much: API keys, their scopes, rates and numbers of open requests.

`server.access.keys.KeyStore` is not brought up here: SQLAlchemy comes with it, and command lines start without.
"""

from server.access.gate import Gate, KeyStoreGate, OpenGate
from server.access.limiter import Limiter
from server.access.principal import SCOPES, Principal, Scope
from server.access.shared import SharedTable

__all__ = ["SCOPES", "Gate", "KeyStoreGate", "Limiter", "OpenGate", "Principal", "Scope", "SharedTable"]
