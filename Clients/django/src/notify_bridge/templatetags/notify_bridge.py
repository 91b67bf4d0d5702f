"""`{% load notify_bridge %}{% notify_bridge %}` puts the client on a page of a logged-in user."""

from __future__ import annotations

from typing import Any

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.middleware.csrf import get_token
from django.template import Context
from django.urls import NoReverseMatch, reverse

from notify_bridge.conf import CREDENTIALS, setting

register = template.Library()


@register.inclusion_tag("notify_bridge/script.html", takes_context=True)
def notify_bridge(context: Context, credential: str | None = None, url: str | None = None) -> dict[str, Any]:
    """A script element without any inline code; nothing for who isn't logged in.

    `credential` and `url` stand in for the settings.
    """
    request = context["request"]
    credential = credential or setting("NOTIFY_BRIDGE_CREDENTIAL")
    if credential not in CREDENTIALS:
        raise template.TemplateSyntaxError(f"credential is one of {', '.join(CREDENTIALS)}, not {credential!r}")
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"user": None}
    by_ticket = credential == "ticket"
    return {
        "user": str(user.pk),
        "url": url or setting("NOTIFY_BRIDGE_URL"),
        "ticket_url": _ticket_url() if by_ticket else "",
        "csrf_token": get_token(request) if by_ticket else "",
        "nonce": context.get("csp_nonce") or getattr(request, "csp_nonce", ""),
    }


def _ticket_url() -> str:
    try:
        return reverse("notify_bridge:ticket")
    except NoReverseMatch:
        raise ImproperlyConfigured(
            'The client needs the view that issues tickets: add path("notify-bridge/", include("notify_bridge.urls")) '
            'to the URLs, or set NOTIFY_BRIDGE_CREDENTIAL = "session".'
        ) from None
