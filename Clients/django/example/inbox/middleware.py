"""A strict policy, to show that the client needs no exception but the bridge's address."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        host = request.get_host().rpartition(":")[0] or request.get_host()
        response.setdefault(
            "Content-Security-Policy", f"default-src 'self'; connect-src 'self' ws://{host}:{settings.BRIDGE_PORT}"
        )
        return response

    return respond
