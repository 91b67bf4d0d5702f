from __future__ import annotations

from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from notifications.services import notify
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html")


def script(request: HttpRequest) -> HttpResponse:
    return HttpResponse((Path(__file__).parent / "static/notifications.js").read_bytes(), content_type="text/javascript")


class OrderView(APIView):
    """Somebody orders something, and is told when it is ready: at once."""

    authentication_classes = [JWTAuthentication]

    def post(self, request: Request) -> Response:
        notification = notify(request.user, "Your order is ready", str(request.data.get("what", "")))
        return Response({"id": notification.pk}, status=201)
