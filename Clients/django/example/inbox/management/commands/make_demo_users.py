from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

NAMES = ("Ada", "Grace", "Linus")


class Command(BaseCommand):
    help = "Makes the users of the example."

    def handle(self, *args: object, **options: object) -> None:
        for name in NAMES:
            get_user_model().objects.get_or_create(username=name)
