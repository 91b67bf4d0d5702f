from django.db import migrations

from notify_bridge.operations import AttachNotifyBridge


class Migration(migrations.Migration):
    dependencies = [("legacy", "0001_initial")]

    operations = [
        AttachNotifyBridge(
            "WorkOrderNotification",
            recipient="worker",
            payload="jsonb_build_object('title', title, 'content', content) || coalesce(data, '{}')",
        )
    ]
