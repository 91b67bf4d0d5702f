from notify_bridge.models import NotificationBase


class Notification(NotificationBase):
    """`data` is {"text": …, "from": …}."""
