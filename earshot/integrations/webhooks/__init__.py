"""Webhooks: posts events to programs of the user, signed and in order, until they are accepted. Alerts take the same way."""
