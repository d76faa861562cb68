"""What the services have in common: how the exchange talks to them."""

from http_types import Refusal


class Service:
    """Recognises requests and answers them; `call` is the journal's record, filled in on the way.

    A service has `name`, `paths`, `secret_id_sql` (an expression that makes the id of one more secret), and
    recognise, credentials, _answer, _refused, dress, new_request_id, error, announce_exhausted, find_store, make_store.
    """

    def __init__(self, state, plays, clock, journal):
        self.state = state
        self.plays = plays
        self.clock = clock
        self.journal = journal

    def owns(self, path):
        return path.startswith(self.paths)

    def answer(self, request, call):
        try:
            return self._answer(request, call)
        except Refusal as refusal:
            return self._refused(refusal)

    def forged(self, request, call, answer):
        """A fault answers in our place."""

    def finished(self, call):
        """The call is over, answered or not."""

    def forget(self):
        self.rate.forget()

    def status(self, play):
        return int(self.plays[f"{self.name}.{play}"])
