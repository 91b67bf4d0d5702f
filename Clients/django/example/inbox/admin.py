from django.contrib import admin

from inbox.models import Notification
from notify_bridge.admin import NotificationAdmin

admin.site.register(Notification, NotificationAdmin)
