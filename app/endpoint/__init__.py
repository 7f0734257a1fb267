"""An async client of any OpenAI-compatible endpoint: bounded and adaptive concurrency, bounded retries, typed errors.

settings = EndpointSettings(base_url="http://127.0.0.1:8000", model="himed-8b", api_key=load_settings().api_key)
async with Endpoint(settings) as endpoint:
    reply = await endpoint.chat([{"role": "user", "content": "…"}], Sampling(temperature=0.0, max_tokens=1280))
"""

from app.endpoint.client import Endpoint
from app.endpoint.errors import EndpointError
from app.endpoint.reply import Reply
from app.endpoint.settings import EndpointSettings, Sampling
from app.endpoint.stream import Delta, ReplyStream

__all__ = ["Delta", "Endpoint", "EndpointError", "EndpointSettings", "Reply", "ReplyStream", "Sampling"]
