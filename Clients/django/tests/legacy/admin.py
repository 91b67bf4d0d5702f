from django.contrib import admin

from legacy.models import WorkOrderNotification
from notify_bridge.admin import NotificationAdminMixin


@admin.register(WorkOrderNotification)
class WorkOrderNotificationAdmin(NotificationAdminMixin, admin.ModelAdmin):
    list_display = ("title", "worker")
