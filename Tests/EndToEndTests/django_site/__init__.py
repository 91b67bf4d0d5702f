"""A Django project as teams have them, for the tests to log in at: sessions, tokens of REST framework, JWTs."""
