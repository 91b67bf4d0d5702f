"""Prints Support/DjangoFixtures.swift: sessions as the real Django makes them, at a time that stands still.

    pip install Django
    python make_django_fixtures.py > ../Support/DjangoFixtures.swift
"""
import math
import pickle
from unittest import mock

import django
from django.conf import settings

SECRET = "django-tests-5k8^q2v#m1z0x7c3b9n4l6j_h2g5f8d1s0a7p"
OLDER = "django-tests-older-0q1w2e3r4t5y6u7i8o9p0a1s2d3f4g5"
NOW = 1_790_000_000

settings.configure(
    SECRET_KEY=SECRET, USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"])
django.setup()
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieStore  # noqa: E402
from django.core import signing  # noqa: E402
from django.core.signing import JSONSerializer  # noqa: E402

user = User(pk=42, username="somebody", password="pbkdf2_sha256$1000000$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo")
out = []


def text(name, value, comment):
    parts = [value[i:i + 100] for i in range(0, len(value), 100)]
    lines = [part + "\\#" for part in parts[:-1]] + parts[-1:]
    out.append(f"  /// {comment}\n  static let {name} = #\"\"\"\n" + "".join(f"    {line}\n" for line in lines) + '    """#')


def fields(**more):
    return {
        "_auth_user_id": "42", "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        "_auth_user_hash": user.get_session_auth_hash()} | more


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


# `json` writes each of these, and reads it again.
ODD = {
    "nan": math.nan, "infinity": math.inf, "minus": -math.inf, "half": "a\ud800b", "deep": nested(300),
    "long": 10**400, "float": 1e308, 1: "twice", "1": "twice", "quotes": "\"\\/\b\f\n\r\t\0ä😀"}


def cookie(content):
    store = CookieStore()
    store._session_cache = content
    return store._get_session_key()


class Pickled:
    def dumps(self, value):
        return pickle.dumps(value)


with mock.patch("time.time", return_value=NOW):
    text("secret", SECRET, "`SECRET_KEY`.")
    text("older", OLDER, "The key before it.")
    text("password", user.password, "The user's password, as the column has it.")
    text("row", SessionStore().encode(fields()), "`session_data` of user 42.")
    text("plainRow", signing.dumps(
        fields(), salt="django.contrib.sessions.SessionStore", serializer=JSONSerializer), "The same, not compressed.")
    text("compressedRow", SessionStore().encode(fields(basket=["ä \"thing\""] * 400)), "The same with much in it, compressed.")
    text("visitorRow", SessionStore().encode({"seen": True}), "`session_data` of nobody yet.")
    text("numberRow", SessionStore().encode(fields(_auth_user_id=42)), "With a number for the user.")
    text("hashlessRow", SessionStore().encode({"_auth_user_id": "42"}), "Without `_auth_user_hash`.")
    text("uuidRow", SessionStore().encode(fields(_auth_user_id="0d0f6a9e-7c4b-4f0e-9a52-3b1c5d7e9f10")), "Of a uuid.")
    text("oddRow", SessionStore().encode(ODD | fields()), "With other data that no strict reader of JSON takes.")
    text("oddCookie", cookie(ODD | fields()), "The same in a signed cookie.")
    text("halfUserRow", SessionStore().encode(fields(_auth_user_id="\ud800")), "With a lone surrogate for the user.")
    text("hugeRow", SessionStore().encode(fields(basket="x" * 1_100_000)), "Small, and more than a mebibyte when inflated.")
    text("cookie", cookie(fields()), "A session in a signed cookie.")
    text("compressedCookie", cookie(fields(basket=["thing"] * 300)), "The same, compressed.")
    text("pickledCookie", signing.dumps(
        fields(), salt="django.contrib.sessions.backends.signed_cookies", serializer=Pickled), "One of pickles.")
    text("resetToken", signing.dumps(fields(), salt="another.purpose"), "Signed with the same key for another purpose.")
    settings.SECRET_KEY = OLDER
    text("olderRow", SessionStore().encode(fields()), "`session_data` signed with the older key.")

print(f"""// Made by Fixtures/make_django_fixtures.py with Django {django.__version__}. They let nobody in anywhere.

/// Sessions of Django; each was signed at `now`.
enum DjangoFixtures {{
  /// Seconds since 1970 UTC.
  static let now = {float(NOW)}""")
print("\n".join(out))
print("}")
