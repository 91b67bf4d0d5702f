"""`path("notify-bridge/", include("notify_bridge.urls"))`."""

from __future__ import annotations

from django.urls import path

from notify_bridge.views import ticket

app_name = "notify_bridge"
urlpatterns = [path("ticket/", ticket, name="ticket")]
