from notify_bridge.models import NotificationBase


class Notification(NotificationBase):
    """A new project's."""
