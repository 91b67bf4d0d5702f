from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("notify-bridge/", include("notify_bridge.urls")),
    path("", include("inbox.urls")),
]
