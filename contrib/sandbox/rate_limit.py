"""Rate limits: fixed windows, windows with a lockout, buckets that fill again, and sums over the last minute."""


class FixedWindow:
    """So many calls in each window; windows begin at the multiples of their length, as Fastly's hours do."""

    def __init__(self, clock):
        self.clock = clock
        self.begun = None
        self.spent = 0

    def _roll_window(self, length):
        begun = self.clock.now() // length * length
        if begun != self.begun:
            self.begun, self.spent = begun, 0

    def spend(self, limit, length):
        """Takes one call from the window, if there is one left."""
        self._roll_window(length)
        if self.spent >= limit:
            return False
        self.spent += 1
        return True

    def give_back(self):
        """The last call is not counted after all."""
        self.spent = max(0, self.spent - 1)

    def left(self, limit, length):
        """(calls left, when the next window begins)"""
        self._roll_window(length)
        return limit - self.spent, self.begun + length

    def forget(self):
        self.begun, self.spent = None, 0


class Lockout:
    """So many calls in a window that begins with its first call; one more, and all are refused for a time."""

    def __init__(self, clock):
        self.clock = clock
        self.forget()

    def spend(self, limit, length, lockout):
        now = self.clock.now()
        if now < self.locked_until:
            return False
        if now >= self.begun + length:
            self.begun, self.spent = now, 0
        self.spent += 1
        if self.spent > limit:
            self.locked_until = now + lockout
        return self.spent <= limit

    def left(self, limit, length):
        """(calls left, seconds until there are new ones)"""
        now = self.clock.now()
        if now < self.locked_until:
            return 0, self.locked_until - now
        return max(0, limit - self.spent), max(0, self.begun + length - now)

    def forget(self):
        self.begun, self.spent, self.locked_until = 0, 0, 0


class TokenBucket:
    """So many calls a second for each key, and no more saved up than a second's worth."""

    def __init__(self, clock):
        self.clock = clock
        self.filled = {}

    def spend(self, key, rate):
        now = self.clock.now()
        left, at = self.filled.get(key, (rate, now))
        left = min(rate, left + (now - at) * rate)
        enough = left >= 1
        self.filled[key] = (left - 1 if enough else left, now)
        return enough

    def forget(self):
        self.filled.clear()


class Minutes:
    """So much in any minute, for each key: what was spent counts for sixty seconds."""

    def __init__(self, clock):
        self.clock = clock
        self.spent = {}

    def spend(self, key, most, cost):
        """Takes `cost` if the last minute leaves so much."""
        now = self.clock.now()
        recent = [(at, amount) for at, amount in self.spent.get(key, []) if at > now - 60]
        self.spent[key] = recent
        if cost and sum(amount for _, amount in recent) + cost > most:
            return False
        if cost:
            recent.append((now, cost))
        return True

    def left(self, key):
        """Seconds until the oldest of it counts no more."""
        return max(0.0, min((at for at, _ in self.spent.get(key, [])), default=0) + 60 - self.clock.now())

    def forget(self):
        self.spent.clear()
