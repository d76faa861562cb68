"""Cloudflare's listings: numbered pages, in any of five orders, filtered (doc/apis.md, Cloudflare 4)."""

from array import array

from http_types import ApiError
from parsing import ParseError, read_query, whole_number

LARGEST_PAGE = 100
ORDERS_KEPT = 16
_STATUS = "CASE WHEN deleted_at IS NOT NULL THEN 'deleted' WHEN modified > :settled THEN 'pending' ELSE 'active' END"
SECRET_ORDERS = {"name": "name", "comment": "coalesce(comment, '')", "created": "created", "modified": "modified",
                 "status": _STATUS}
STORE_ORDERS = {"name": "name", "created": "created", "modified": "modified"}
_PAGE_WORDS = ("page", "per_page", "order", "direction")
MORE_WORDS = ("search", "scopes")


class PageParams:
    """The parameters of a listing."""

    def __init__(self, request, variants, orders, more_words=()):
        try:
            query = read_query(request.query, (*_PAGE_WORDS, *more_words), lists=("scopes",))
            self.page = whole_number(query.get("page", "1"), 1, 10**9)
            default = str(variants["cloudflare.default_page"])
            self.per_page = whole_number(query.get("per_page", default), 1, LARGEST_PAGE)
        except ParseError as why:
            raise ApiError(400, f"invalid_query: {why}", code=1001) from None
        self.per_page = min(self.per_page, variants["cloudflare.page_cap"])
        self.order = _one_of(query.get("order", "created"), orders)
        self.direction = _one_of(query.get("direction", "desc"), ("asc", "desc"))
        self.search = query.get("search", "")
        self.scopes = sorted(filter(None, query.get("scopes", "").split(",")))

    def slice(self, rows):
        return rows[(self.page - 1) * self.per_page:self.page * self.per_page]


def _one_of(word, choices):
    if word not in choices:
        raise ApiError(400, f"invalid_query: {word}", code=1001)
    return word


class SecretOrder:
    """The order of a store's secrets, kept until something changes: OFFSET would walk a million rows for each page."""

    def __init__(self, state):
        self.state = state
        self.generation = None
        self.kept = {}

    def numbers(self, store, param, settled, lingering):
        """Returns the row numbers of the matching secrets, in order. `lingering`: since when deleted rows are still shown."""
        if self.generation != self.state.generation or len(self.kept) > ORDERS_KEPT:
            self.kept.clear()
            self.generation = self.state.generation
        by_time = settled if param.order == "status" else None
        key = (store["number"], param.order, param.direction, param.search, *param.scopes, by_time, lingering)
        if key not in self.kept:
            self.kept[key] = self._read(store, param, settled, lingering)
        return self.kept[key]

    def _read(self, store, param, settled, lingering):
        values = {"store": store["number"], "settled": settled, "lingering": lingering, "search": param.search.lower()}
        where = "deleted_at IS NULL" if lingering is None else "(deleted_at IS NULL OR deleted_at > :lingering)"
        if param.search:
            where += " AND (instr(lower(name), :search) OR instr(lower(coalesce(comment, '')), :search))"
        for place, scope in enumerate(param.scopes):
            where += f" AND instr(scopes, :scope{place})"
            values[f"scope{place}"] = f'"{scope}"'
        order = f"{SECRET_ORDERS[param.order]} {param.direction}, number {param.direction}"
        rows = self.state.db.execute(
            f"SELECT number FROM secrets WHERE store = :store AND {where} ORDER BY {order}", values)
        return array("q", (row[0] for row in rows))

    def rows(self, numbers):
        """Returns the rows of one page, in that order."""
        marks = ",".join("?" * len(numbers))
        rows = self.state.all(f"SELECT * FROM secrets WHERE number IN ({marks})", *numbers)
        found = {row["number"]: row for row in rows}
        return [found[number] for number in numbers]


def result_info(param, count, total, form):
    """Builds result_info. `form` is the variant."""
    info = {"count": count, "page": param.page, "per_page": param.per_page, "total_count": total}
    if form == "total_pages":
        info["total_pages"] = -(-total // param.per_page)
    elif form == "null":
        info = dict.fromkeys(info)
    elif form == "no_total":
        del info["total_count"]
    return None if form == "absent" else info
