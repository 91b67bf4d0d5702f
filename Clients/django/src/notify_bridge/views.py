"""The view that gives a logged-in user a ticket for the bridge."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from notify_bridge.errors import NotifyBridgeError
from notify_bridge.notifications import issue_ticket

logger = logging.getLogger("notify_bridge")
TICKET_SECONDS = 30


@require_POST
@never_cache
def ticket(request: HttpRequest) -> HttpResponse:
    """A ticket as JSON; 401 without a login, since a script can't follow a redirect to a form."""
    if not request.user.is_authenticated:
        return JsonResponse({"error": "log in first"}, status=401)
    try:
        issued = issue_ticket(request.user)
    except NotifyBridgeError as error:
        logger.error("No ticket could be issued: %s", error)
        return JsonResponse({"error": "tickets are not available"}, status=503)
    return JsonResponse({"ticket": issued, "expires_in": TICKET_SECONDS})
