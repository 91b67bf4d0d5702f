"""Credentials for tests."""

from __future__ import annotations

import time

import jwt

SECRET = "a secret for tests, of more than the sixty-four bytes that HS512 asks for"


def token(user: object, ttl: float = 3600, secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """A JWT for a user; a claim of None is left out."""
    payload = {"user_id": user, "exp": time.time() + ttl, "token_type": "access"} | claims
    return jwt.encode({key: value for key, value in payload.items() if value is not None}, secret, algorithm=algorithm)
