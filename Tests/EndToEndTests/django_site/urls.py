"""What users of the site do, each a POST."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import authenticate, get_user_model, login, logout, update_session_auth_hash
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework_simplejwt.views import TokenObtainPairView


def sign_up(request: HttpRequest) -> dict[str, object]:
    user = get_user_model().objects.create_user(request.POST["username"], password=request.POST["password"])
    return {"id": str(user.pk)}


def log_in(request: HttpRequest) -> dict[str, object]:
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    assert user is not None
    login(request, user)
    if size := int(request.POST.get("size", 0)):
        request.session["basket"] = ["something"] * size
    if age := request.POST.get("age"):
        request.session.set_expiry(int(age))
    return {"id": str(user.pk)}


def visit(request: HttpRequest) -> dict[str, object]:
    """A visitor who has a session and has not logged in."""
    request.session["seen"] = True
    return {}


def log_out(request: HttpRequest) -> dict[str, object]:
    logout(request)
    return {}


def change_password(request: HttpRequest) -> dict[str, object]:
    """As Django's own view does: this session goes on under another key, the user's others end."""
    request.user.set_password(request.POST["password"])
    request.user.save()
    update_session_auth_hash(request, request.user)
    return {}


def deactivate(request: HttpRequest) -> dict[str, object]:
    user = get_user_model().objects.get(username=request.POST["username"])
    user.is_active = False
    user.save()
    return {}


def delete_user(request: HttpRequest) -> dict[str, object]:
    get_user_model().objects.get(username=request.POST["username"]).delete()
    return {}


def delete_token(request: HttpRequest) -> dict[str, object]:
    Token.objects.get(key=request.POST["key"]).delete()
    return {}


def _json(view: Callable[[HttpRequest], dict[str, object]]) -> Callable[[HttpRequest], JsonResponse]:
    return csrf_exempt(lambda request: JsonResponse(view(request)))


urlpatterns = [
    path("sign-up", _json(sign_up)), path("log-in", _json(log_in)), path("visit", _json(visit)),
    path("log-out", _json(log_out)), path("change-password", _json(change_password)),
    path("deactivate", _json(deactivate)), path("delete-user", _json(delete_user)),
    path("delete-token", _json(delete_token)),
    path("token", csrf_exempt(obtain_auth_token)), path("jwt", TokenObtainPairView.as_view()),
]
