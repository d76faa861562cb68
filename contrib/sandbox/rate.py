"""Rate limits: fixed windows, windows with a lockout, and buckets that fill again."""


class Windows:
    """So many calls in each window; windows begin at the multiples of their length, as Fastly's hours do."""

    def __init__(self, clock):
        self.clock = clock
        self.begun = None
        self.spent = 0

    def _turn(self, length):
        begun = self.clock.now() // length * length
        if begun != self.begun:
            self.begun, self.spent = begun, 0

    def spend(self, limit, length):
        """Takes one call from the window, if there is one left."""
        self._turn(length)
        if self.spent >= limit:
            return False
        self.spent += 1
        return True

    def left(self, limit, length):
        """(calls left, when the next window begins)"""
        self._turn(length)
        return limit - self.spent, self.begun + length

    def forget(self):
        self.begun, self.spent = None, 0
