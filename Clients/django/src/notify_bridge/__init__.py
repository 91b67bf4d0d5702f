"""NotifyBridge for Django: rows of a table reach their users' browsers over WebSocket."""

from notify_bridge.errors import NotifyBridgeError
from notify_bridge.notifications import disconnect, notify, notify_many

__all__ = ["NotifyBridgeError", "disconnect", "notify", "notify_many"]
__version__ = "0.1.0"
