from django.db import migrations
from notify_bridge.operations import AttachNotifyBridge


class Migration(migrations.Migration):
    dependencies = [("inbox", "0002_attach")]

    operations = [AttachNotifyBridge("WorkOrder", "worker", "jsonb_build_object('title', title)")]
