"""Empty: the stand-in has no settings."""
