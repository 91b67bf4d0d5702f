"""Tables of notifications; none of them is made by Django here."""

from django.db import models
from django.utils import timezone


class Message(models.Model):
    """What they have in common."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    data = models.JSONField()
    is_sent = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True


class Notification(Message):
    class Meta:
        managed = False
        db_table = "notification"


class OrderMessage(Message):
    title = models.CharField(max_length=200, default="Your order has been sent")

    class Meta:
        managed = False
        db_table = "order_message"


class PlainOrderMessage(Message):
    title = models.CharField(max_length=200, default="Your order has been sent")

    class Meta:
        managed = False
        db_table = "plain_order_message"
