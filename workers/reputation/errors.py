"""The ways reputation refuses."""

from marketplace.common.errors import Unprocessable


class RulesInvalid(Unprocessable):
    """Names each place that is wrong."""

    code = "rules-invalid"
    title = "The rules have errors"
