from django.db import migrations
from notify_bridge.operations import AttachNotifyBridge


class Migration(migrations.Migration):
    dependencies = [("inbox", "0001_initial")]

    operations = [AttachNotifyBridge("Notification", "recipient", "data", sent="sent_at")]
