from __future__ import annotations

from django.urls import path
from notifications import views
from rest_framework_simplejwt.views import TokenObtainPairView

urlpatterns = [
    path("", views.page),
    path("notifications.js", views.script),
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/orders/", views.OrderView.as_view()),
]
