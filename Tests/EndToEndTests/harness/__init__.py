"""What the end-to-end tests use: a private PostgreSQL, the program under test, and clients that record all they get."""
