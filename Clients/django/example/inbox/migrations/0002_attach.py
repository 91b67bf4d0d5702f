from django.db import migrations

from notify_bridge.operations import AttachLogins, AttachNotifyBridge


class Migration(migrations.Migration):
    dependencies = [
        ("inbox", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("sessions", "0001_initial"),
    ]

    operations = [
        AttachNotifyBridge("Notification", "recipient", "data", sent="sent_at"),
        # Logging out closes the sockets of that session at once.
        AttachLogins(),
    ]
