"""A project with Django Channels, as teams have it before they come to the bridge."""
