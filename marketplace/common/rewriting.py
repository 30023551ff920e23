"""How a migration makes a new SQL function of an earlier one. Migrations that ran rely on it: it does not change."""


def changed(sql: str, *pairs: tuple[str, str]) -> str:
    """The text with each first part, which must occur once, replaced by the second."""
    for old, new in pairs:
        assert sql.count(old) == 1, old
        sql = sql.replace(old, new)
    return sql
