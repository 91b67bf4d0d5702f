class Router:
    """`forbidden` names the databases on which nothing is to be migrated."""

    forbidden: frozenset[str] = frozenset()

    def allow_migrate(self, db, app_label, **hints):
        return False if db in self.forbidden else None


class Bare:
    def db_for_write(self, model, **hints):
        return "bare"


class Lite:
    def db_for_write(self, model, **hints):
        return "lite"
