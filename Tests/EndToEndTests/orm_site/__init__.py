"""A Django project that writes notifications in every way that Django has, through the package of `Clients/django`."""
