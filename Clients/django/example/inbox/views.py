"""Two pages: who are you, and your notifications."""

from django.conf import settings
from django.contrib.auth import get_user_model, login, logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inbox.models import Notification
from notify_bridge import notify

SHOWN = 50
LONGEST_TEXT = 500


@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Nobody has a password here: it is an example."""
    users = get_user_model().objects.filter(is_staff=False).order_by("username")
    if request.method == "POST":
        login(request, get_object_or_404(users, username=request.POST.get("username")))
        return redirect("inbox")
    return render(request, "inbox/log_in.html", {"users": users})


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("log-in")


@require_GET
@login_required(login_url="log-in")
def inbox(request: HttpRequest) -> HttpResponse:
    host = request.get_host().rpartition(":")[0] or request.get_host()
    return render(
        request,
        "inbox/inbox.html",
        {
            "rows": Notification.objects.filter(recipient=request.user).order_by("-id")[:SHOWN],
            "users": get_user_model().objects.filter(is_staff=False).order_by("username"),
            "bridge": f"ws://{host}:{settings.BRIDGE_PORT}/ws/notifications/",
        },
    )


@require_POST
@login_required(login_url="log-in")
def send(request: HttpRequest) -> HttpResponse:
    """The whole of sending: a row."""
    text = request.POST.get("text", "").strip()[:LONGEST_TEXT]
    recipient = get_object_or_404(get_user_model(), username=request.POST.get("to"))
    if not text:
        return JsonResponse({"error": "Write something first."}, status=400)
    row = notify(recipient, {"text": text, "from": request.user.get_username()})
    return JsonResponse({"id": row.pk})
