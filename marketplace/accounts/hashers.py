"""How passwords are kept."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class PasswordHasher(Argon2PasswordHasher):
    """Argon2id with the parameters that OWASP's password storage cheat sheet gives for servers: 19 MiB, two passes, one
    lane. The framework's own 100 MiB and eight lanes would let a few sign-ins at once stall a small machine."""

    memory_cost = 19_456
    time_cost = 2
    parallelism = 1
