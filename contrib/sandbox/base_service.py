"""The base of the services: how the handler calls them."""

from http_types import ApiError


class Service:
    """Recognises requests and answers them; `call` is the call log's record, filled in on the way.

    A service has `name`, `paths`, `secret_id_sql` (an expression that makes the id of one more secret), and
    identify, credentials, _respond, _error_response, decorate, new_request_id, error, announce_exhausted, find_store,
    make_store.
    """

    def __init__(self, state, variants, clock, call_log):
        self.state = state
        self.variants = variants
        self.clock = clock
        self.call_log = call_log

    def owns(self, path):
        return path.startswith(self.paths)

    def response(self, request, call):
        try:
            return self._respond(request, call)
        except ApiError as error:
            return self._error_response(error)

    def on_fault(self, request, call, response):
        """Notes that a fault answers in place of the service."""

    def on_done(self, call):
        """Notes the end of a call, answered or not."""

    def forget(self):
        self.rate.forget()

    def status(self, variant):
        return int(self.variants[f"{self.name}.{variant}"])

    def spelled(self, store_name):
        return store_name.lower() if self.variants[f"{self.name}.store_spelling"] == "small" else store_name
