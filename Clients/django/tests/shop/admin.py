from django.contrib import admin

from notify_bridge.admin import NotificationAdmin
from shop.models import Notification

admin.site.register(Notification, NotificationAdmin)
