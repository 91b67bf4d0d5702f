"""What a page of a project uses: the ticket view, and the tag that puts the client on it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.staticfiles import finders
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client, RequestFactory

import notify_bridge

pytestmark = pytest.mark.django_db
PATH = "/notify-bridge/ticket/"


def test_a_ticket_is_for_the_user_and_once(client: Client, user: User) -> None:
    client.force_login(user)
    response = client.post(PATH)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    answer = response.json()
    assert answer.keys() == {"ticket", "expires_in"} and answer["expires_in"] == 30
    assert re.fullmatch(r"nbt_[A-Za-z0-9_-]{43}", answer["ticket"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT hash, user_id FROM notify_bridge.ticket")
        ((hash, user_id),) = cursor.fetchall()
        assert (bytes(hash), user_id) == (hashlib.sha256(answer["ticket"].encode()).digest(), str(user.pk))
    assert client.post(PATH).json()["ticket"] != answer["ticket"]


def test_without_a_login_there_is_none(client: Client, user: User) -> None:
    assert client.post(PATH).status_code == 401
    client.force_login(user)
    user.is_active = False
    user.save()
    assert client.post(PATH).status_code == 401


def test_it_takes_a_post_with_a_csrf_token(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.get(PATH).status_code == 405
    assert client.post(PATH).status_code == 403


def test_without_the_schema_it_is_not_available(client: Client, user: User, caplog) -> None:
    client.force_login(user)
    with connection.cursor() as cursor:
        cursor.execute("ALTER SCHEMA notify_bridge RENAME TO away")
    response = client.post(PATH)
    assert response.status_code == 503 and response.json() == {"error": "tickets are not available"}
    assert "has no schema notify_bridge. Run `notify-bridge migrate`" in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("ALTER SCHEMA away RENAME TO notify_bridge")


def render(user: object, tag: str = "{% notify_bridge %}") -> str:
    request = RequestFactory().get("/")
    request.user = user
    return Template("{% load notify_bridge %}" + tag).render(Context({"request": request}))


def test_the_tag_is_a_script_without_inline_code(user: User) -> None:
    html = render(user)
    assert re.fullmatch(
        r'<script src="/static/notify_bridge/client\.js" defer data-user="\d+" data-url="/ws/notifications/"'
        r' data-ticket-url="/notify-bridge/ticket/" data-csrf-token="\w{64}"></script>',
        html,
    ), html
    assert finders.find("notify_bridge/client.js")


def test_the_token_of_the_tag_is_accepted(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    request = RequestFactory().get("/")
    request.user = user
    html = Template("{% load notify_bridge %}{% notify_bridge %}").render(Context({"request": request}))
    token = re.search(r'data-csrf-token="(\w+)"', html)
    assert token is not None
    client.cookies["csrftoken"] = request.META["CSRF_COOKIE"]
    assert client.post(PATH, headers={"X-CSRFToken": token[1]}).status_code == 200


def test_with_the_session_as_credential_it_needs_no_ticket(user: User, settings) -> None:
    settings.NOTIFY_BRIDGE_URL = "wss://bridge.example.com/ws/notifications/"
    expected = (
        '<script src="/static/notify_bridge/client.js" '
        f'defer data-user="{user.pk}"'
        ' data-url="wss://bridge.example.com/ws/notifications/"></script>'
    )
    assert render(user, '{% notify_bridge credential="session" %}') == expected
    settings.NOTIFY_BRIDGE_CREDENTIAL = "session"
    assert render(user) == expected


def test_what_is_configured_stays_in_its_attribute(user: User, settings) -> None:
    settings.NOTIFY_BRIDGE_URL = '/"><script>alert(1)</script>'
    html = render(user)
    assert html.count("<script") == 1 and "&quot;&gt;&lt;script&gt;" in html


def test_a_nonce_of_the_policy_is_taken(user: User) -> None:
    request = RequestFactory().get("/")
    request.user = user
    template = Template("{% load notify_bridge %}{% notify_bridge %}")
    assert ' nonce="abc123"' in template.render(Context({"request": request, "csp_nonce": "abc123"}))


def test_nobody_gets_nothing() -> None:
    assert render(AnonymousUser()) == ""


def test_a_wrong_credential_says_what_there_is(user: User) -> None:
    with pytest.raises(TemplateSyntaxError, match="credential is one of ticket, session, not 'cookie'"):
        render(user, '{% notify_bridge credential="cookie" %}')


def test_a_project_without_the_view_is_told(user: User, settings) -> None:
    settings.ROOT_URLCONF = "testproject.no_urls"
    with pytest.raises(ImproperlyConfigured, match='include\\("notify_bridge.urls"\\)'):
        render(user)
    assert render(user, '{% notify_bridge credential="session" %}') != ""


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(notify_bridge.__file__).parent / "py.typed").exists()
