"""GitHub's listings: numbered pages, with a Link header that names the others."""

from http_types import ApiError
from parsing import ParseError, read_query, whole_number

LARGEST_PAGE = 100
DEFAULT_PAGE = 30


def page_params(request, variants):
    """Returns (per_page, page) of a listing's query. The real service takes anything; this one refuses what it would change."""
    try:
        query = read_query(request.query, ("per_page", "page"))
        per_page = whole_number(query.get("per_page", str(DEFAULT_PAGE)), 1, LARGEST_PAGE)
        return min(per_page, variants["github.page_cap"]), whole_number(query.get("page", "1"), 1, 10**9)
    except ParseError as why:
        raise ApiError(422, f"Invalid request.\n\n{why}") from None


def link_header(response, request, page, per_page, total):
    last = max(1, -(-total // per_page))
    base = f"https://api.github.com{request.path}?per_page={per_page}&page="
    links = []
    if page > 1:
        links += [(page - 1, "prev"), (1, "first")]
    if page < last:
        links += [(page + 1, "next"), (last, "last")]
    if links:
        response.set("Link", ", ".join(f'<{base}{number}>; rel="{word}"' for number, word in links))
    return response
