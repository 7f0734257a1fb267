"""The medical routes: a question in, an answer with its reasoning, choice and language out."""

from server.medical.routes import router

__all__ = ["router"]
