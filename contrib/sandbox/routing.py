"""Maps method and path to the name of an operation, by table."""

from http_types import ApiError


class Router:
    """Routes are (method, pattern, operation); {word} in a pattern matches one path part.

    Constant parts come before variable ones: Fastly's client-key and signing-key stand where a store's id could.
    """

    def __init__(self, routes):
        self.routes = [(method, pattern.split("/")[1:], operation) for method, pattern, operation in routes]

    def find(self, method, segments):
        """Returns (operation, {word: part}), or None for a path that is not served, or a list of the methods it would take."""
        fitting = [(verb, operation, *fit) for verb, pattern, operation in self.routes
                   if (fit := _fit(pattern, segments)) is not None]
        if not fitting:
            return None
        fewest = min(variables for _, _, variables, _ in fitting)
        methods = {verb: (operation, words) for verb, operation, variables, words in fitting if variables == fewest}
        return methods.get(method, sorted(methods))


def _fit(pattern, segments):
    if len(pattern) != len(segments):
        return None
    words = {}
    for part, segment in zip(pattern, segments):
        if part.startswith("{"):
            words[part[1:-1]] = segment
        elif part != segment:
            return None
    return len(words), words


def no_body(request):
    if request.body:
        raise ApiError(400, "this call takes no body")
