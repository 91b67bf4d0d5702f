class Router:
    """`forbidden` names the databases on which nothing is to be migrated."""

    forbidden: frozenset[str] = frozenset()

    def allow_migrate(self, db, app_label, **hints):
        return False if db in self.forbidden else None
