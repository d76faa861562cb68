"""Rate limits: fixed windows, windows with a lockout, buckets that fill again, and sums over the last minute."""


class FixedWindow:
    """A number of calls in each window; windows begin at the multiples of their length, as Fastly's hours do."""

    def __init__(self, clock):
        self.clock = clock
        self.begun = None
        self.used = 0

    def _roll_window(self, length):
        begun = self.clock.now() // length * length
        if begun != self.begun:
            self.begun, self.used = begun, 0

    def spend(self, limit, length):
        """Takes one call from the window, if there is one left."""
        self._roll_window(length)
        if self.used >= limit:
            return False
        self.used += 1
        return True

    def give_back(self):
        """Takes the last call out of the count."""
        self.used = max(0, self.used - 1)

    def left(self, limit, length):
        """Returns (calls left, when the next window begins)."""
        self._roll_window(length)
        return limit - self.used, self.begun + length

    def forget(self):
        self.begun, self.used = None, 0


class Lockout:
    """A number of calls in a window that begins with its first call; one more, and all are refused for a time."""

    def __init__(self, clock):
        self.clock = clock
        self.forget()

    def spend(self, limit, length, lockout):
        now = self.clock.now()
        if now < self.locked_until:
            return False
        if now >= self.begun + length:
            self.begun, self.used = now, 0
        self.used += 1
        if self.used > limit:
            self.locked_until = now + lockout
        return self.used <= limit

    def left(self, limit, length):
        """Returns (calls left, seconds until there are new ones)."""
        now = self.clock.now()
        if now < self.locked_until:
            return 0, self.locked_until - now
        return max(0, limit - self.used), max(0, self.begun + length - now)

    def forget(self):
        self.begun, self.used, self.locked_until = 0, 0, 0


class TokenBucket:
    """A number of calls a second for each key, and no more saved up than a second's worth."""

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
    """A limit for any minute, for each key: each use counts for sixty seconds."""

    def __init__(self, clock):
        self.clock = clock
        self.used = {}

    def spend(self, key, most, cost):
        """Takes `cost` if the last minute leaves that much."""
        now = self.clock.now()
        recent = [(at, amount) for at, amount in self.used.get(key, []) if at > now - 60]
        self.used[key] = recent
        if cost and sum(amount for _, amount in recent) + cost > most:
            return False
        if cost:
            recent.append((now, cost))
        return True

    def left(self, key):
        """Returns the seconds until the oldest use expires."""
        return max(0.0, min((at for at, _ in self.used.get(key, [])), default=0) + 60 - self.clock.now())

    def forget(self):
        self.used.clear()
