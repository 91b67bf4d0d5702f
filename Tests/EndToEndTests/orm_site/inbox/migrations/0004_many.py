"""A data migration as projects have them: a hundred thousand rows in one transaction."""

from django.db import migrations


def fill(apps, schema_editor):
    users = list(apps.get_model("auth", "User").objects.order_by("id")[:10])
    model = apps.get_model("inbox", "Notification")
    model.objects.bulk_create(
        (model(recipient=users[number % 10], data={"k": f"many {number}"}) for number in range(100_000)), batch_size=5_000)


class Migration(migrations.Migration):
    dependencies = [("inbox", "0003_attach_workorder")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
