"""
The reference's other half: what the service holds, what the mount knows of it, and which calls a change takes. The differences of the services are in the table
below; when something is changed at all is spec.py's, with publisher.py and names.py.
"""

import errno
import hashlib
import itertools
import time
from collections import namedtuple
from dataclasses import dataclass

STALE = "(an id that is gone)"
RETAINED = 10  # seconds for which a new value is at hand, where the service can't rename

# What is under a name: `version` changes with every change that the service shows, `identity` when it is made anew.
Held = namedtuple("Held", "value version identity")


@dataclass(frozen=True)
class Service:
    name: str
    limit: int             # of a value
    text: bool             # values are UTF-8
    counts_characters: bool  # the limit is one of characters, not of bytes
    creates: bool          # a create that fails where something is
    replaces: bool         # a replacement that fails where nothing is
    replaces_by_id: bool   # what is there is changed by its id; what isn't is created
    renames: str           # what a stored secret is renamed by: its sealed value, a duplicate (onto a free name), or nothing; else by what is retained
    shows_changes: bool    # a replacement can be seen in what it tells
    replays: bool          # a repetition is answered as what it repeats was
    tells_value: bool      # the call log has the value of a create that was refused
    taken: int             # status: there is one of this name already
    deleted: int           # status: it was deleted
    dots: bool             # a name may have some
    capitals: bool = False  # a name has no small letters
    describes: bool = True  # it tells the version of what it has stored: else the mount asks for that afterwards

    @property
    def bytes_max(self):
        return self.limit * 4 if self.counts_characters else self.limit


FASTLY = Service("fastly", limit=65536, text=False, counts_characters=False, creates=True, replaces=True, replaces_by_id=False, renames="sealed value", shows_changes=True,
                 replays=False, tells_value=True, taken=400, deleted=204, dots=True)
CLOUDFLARE = Service("cloudflare", limit=65536, text=True, counts_characters=False, creates=True, replaces=True, replaces_by_id=True, renames="duplicate", shows_changes=True,
                     replays=False, tells_value=False, taken=409, deleted=202, dots=False)
STRIPE = Service("stripe", limit=5000, text=True, counts_characters=True, creates=False, replaces=False, replaces_by_id=False, renames=None, shows_changes=False,
                 replays=True, tells_value=False, taken=None, deleted=200, dots=True)
GITHUB = Service("github", limit=49152, text=True, counts_characters=False, creates=False, replaces=False, replaces_by_id=False, renames="sealed value", shows_changes=True,
                 replays=False, tells_value=False, taken=None, deleted=204, dots=False, capitals=True, describes=False)
SERVICES = {service.name: service for service in (FASTLY, CLOUDFLARE, STRIPE, GITHUB)}

# What a call meets: the status that is seen of it, and None where the client sees no answer.
UNANSWERED = {"request_dropped": "dropped", "server_error": 503, "reply_lost": "dropped"}


def digest(value):
    return hashlib.sha256(value).hexdigest()


class Hung(Exception):
    """The call does not end."""


class Exchange:
    def __init__(self, service, names, replaces_only=False):
        self.service = service
        self.replaces_only = replaces_only  # nothing may be created
        self.numbers = itertools.count(1)
        self.held = {}        # name: Held, at the service
        self.known = {name: None for name in names}  # what the mount believes in; None: that there is none
        self.invalid = set()  # names that it would ask about again
        self.inodes = {}      # name: number of the inode that a lookup finds
        self.sealed = {}       # name: version whose sealed value the mount has
        self.retained = {}    # name: (version, value, since when), of what was just stored under a new name
        self.faults = {}      # ("put", "delete" or "duplicate", name): what the next such call meets

    # --- what the mount knows -----------------------------------------------------------------------------------------

    def look(self, name):
        """What is known of the name; the service is asked where that is invalid."""
        return self.look_again(name) if name in self.invalid else self.known[name]

    def look_again(self, name):
        self.invalid.discard(name)
        self.known[name] = self.held.get(name)
        if self.known[name] is None:
            self.inodes.pop(name, None)
        self.learn_inode(name)
        return self.known[name]

    def invalidate(self, *names):
        self.invalid.update(names)

    def learn_all(self):
        """A walk: everything is known."""
        for name in self.known:
            self.look_again(name)

    def inode_of(self, name):
        return self.inodes.get(name) or next(self.numbers)

    def disown(self, name, inode):
        """A file has lost the name: what is found there has another number."""
        if self.inodes.get(name) == inode:
            del self.inodes[name]
            self.learn_inode(name)

    def learn_inode(self, name):
        if self.known[name] is not None:
            self.inodes.setdefault(name, next(self.numbers))

    # --- what the service does ----------------------------------------------------------------------------------------

    def hold(self, name, value, elsewhere=False):
        old = self.held.get(name)
        number = next(self.numbers)
        shown = old is None or elsewhere or self.service.shows_changes
        self.held[name] = Held(value, number if shown else old.version, old.identity if old else number)

    def own_change(self, name, inode):
        self.inodes[name] = inode
        if self.look_again(name) and self.service.renames == "sealed value":
            self.sealed[name] = self.known[name].version

    def meet(self, change, name):
        """The fault that the next such call meets, if any."""
        fault = self.faults.pop((change, name), None)
        if fault == "hangs":
            raise Hung
        return fault

    def is_stale(self, name):
        """Whether the id by which it is known is not that of what is there."""
        return (self.service.replaces_by_id and self.known[name] is not None
                and (name not in self.held or self.held[name].identity != self.known[name].identity))

    # --- what is retained for a rename ------------------------------------------------------------------------------------

    def is_new(self, name):
        """Not where the service is asked before the name is written, and has it: whether an outcome is unknown, and for the id of what is replaced."""
        unknown = name in self.invalid or self.known[name] is None
        is_looked_up = name in self.invalid or self.service.replaces_by_id
        return unknown and not (is_looked_up and name in self.held)

    def retain(self, name, value):
        if self.service.renames != "sealed value" and not self.replaces_only and self.known[name]:
            self.retained[name] = self.known[name].version, value, time.monotonic()

    def age(self, name):
        """For how long the value of a name has been retained; 0: it is not."""
        return time.monotonic() - self.retained[name][2] if name in self.retained else 0

    def recall(self, name, to):
        """The value that was just stored under a name, if it is what the service has, for `to`; None: it is not at hand."""
        if self.age(name) > RETAINED or (name in self.retained and self.retained[name][0] != self.known[name].version):
            del self.retained[name]
        if name not in self.retained:
            return None
        self.retained.pop(to, None)
        return self.retained[name][1]

    # --- a value ------------------------------------------------------------------------------------------------------

    def put(self, name, value, inode, create, calls):
        """One publication's calls; `create`: only if there is none. Returns its errno."""
        service = self.service
        must_look = name in self.invalid or (create and not service.creates)
        if self.replaces_only:
            must_look |= not service.replaces or (service.replaces_by_id and not self.known[name])
        if must_look and self.look_again(name) and create:
            return self.refuse_taken(name)
        while True:
            if self.replaces_only and not self.known[name] and (must_look or service.replaces_by_id):
                self.invalidate(name)
                return errno.ENOENT
            if self.replaces_only and service.replaces:
                verb = "replace"
            elif service.replaces_by_id:
                verb = "replace" if self.known[name] and not create else "create"
            else:
                verb = "create" if create and service.creates else "either"
            attempt = self.create_once if verb == "create" else self.replace_once
            error = attempt(verb, name, value, create, calls)
            if error == 0:
                self.own_change(name, inode)
            if error is not None:
                return error

    def refuse_taken(self, name):
        self.invalidate(name)
        return errno.EEXIST

    def answer_first(self, verb, name, calls):
        """What may come instead of the service's own answer. Returns (the fault, an errno)."""
        try:
            fault = self.meet("put", name)
        except Hung:
            calls.append((verb, name, None, "dropped"))
            self.invalidate(name)
            if not self.service.describes:  # versions of one second look the same: the older value is not sent again
                self.sealed.pop(name, None)
            return "hangs", errno.EINTR
        if fault == "refused":
            calls.append((verb, name, None, 403))
            return fault, errno.EACCES
        if fault == "throttled":
            calls.append((verb, name, None, 429))
        elif fault in ("request_dropped", "server_error"):
            calls.append((verb, name, None, UNANSWERED[fault]))
        return fault, None

    def replace_once(self, verb, name, value, create, calls):
        """Whatever is there is replaced; it is repeated as often as it takes. Returns an errno, or None: something else must be tried."""
        if self.is_stale(name):
            calls.append((verb, STALE, None, 404))
            self.look_again(name)
            return None
        fault, error = self.answer_first(verb, name, calls)
        if verb == "replace" and not fault and name not in self.held:
            calls.append((verb, name, digest(value), 404))
            self.invalidate(name)
            return errno.ENOENT
        if fault == "reply_lost":
            self.hold(name, value)
            calls.append((verb, name, digest(value), "dropped"))
        elif fault:
            return error
        if fault == "reply_lost" and self.service.replays:
            calls.append((verb, name, None, 200))
        else:
            self.hold(name, value)
            calls.append((verb, name, digest(value), 200))
        return 0

    def create_once(self, verb, name, value, create, calls):
        """It is never repeated blindly: what got no answer is looked for first."""
        fault, error = self.answer_first(verb, name, calls)
        if error or fault == "throttled":
            return error
        taken = name in self.held
        shown = digest(value) if not taken or self.service.tells_value else None
        if fault in ("request_dropped", "server_error"):
            return self.refuse_taken(name) if self.look_again(name) and create else None
        if not taken:
            self.hold(name, value)
        calls.append((verb, name, shown, "dropped" if fault else self.service.taken if taken else 200))
        if taken and create:
            return self.refuse_taken(name)
        if taken or (fault and not create):
            self.look_again(name)  # and then it is replaced
            return None
        return 0  # where no answer came, its own clock tells that it is ours

    # --- a deletion ---------------------------------------------------------------------------------------------------

    def delete(self, name, calls):
        if self.service.replaces_by_id and (name in self.invalid or not self.known[name]) and not self.look_again(name):
            return errno.ENOENT
        if self.is_stale(name):
            calls.append(("delete", STALE, None, 404))
            if not self.look_again(name):
                return errno.ENOENT
        return self.delete_known(name, calls)

    def delete_known(self, name, calls):
        fault = self.meet("delete", name)
        if fault == "undeletable":
            calls.append(("delete", name, None, 403))
            return errno.EACCES
        there = self.held.pop(name, None)
        status = self.service.deleted if there else 404
        if fault == "delete_reply_lost":
            calls.append(("delete", name, None, "dropped"))
            status = status if self.service.replays else 404
        again = fault and self.service.replaces_by_id
        calls.append(("delete", STALE if again else name, None, status))
        self.sealed.pop(name, None)
        self.look_again(name)
        return 0 if there or fault else errno.ENOENT

    # --- another name -------------------------------------------------------------------------------------------------

    def move(self, name, to, calls):
        """Rule 15."""
        if self.service.renames == "sealed value":
            error = self.put_sealed(name, to, calls)
        elif self.service.renames == "duplicate" and self.look(name) is not None and self.look(to) is None:
            error = self.duplicate(name, to, errno.EOPNOTSUPP, calls)
        else:
            error = self.write_retained(name, to, calls)
        if error:
            return error
        inode = self.inodes[name]
        error = self.delete_known(name, calls)
        if error:
            # Both names are there; the sealed value stays the old one's, which is not known any more.
            self.sealed.pop(to, None)
            self.invalidate(name)
        else:
            self.inodes[to] = inode
            self.retained.pop(name, None)
            self.retained.pop(to, None)
        return error

    def write_retained(self, name, to, calls):
        """From the value, if it is at hand and what the service holds."""
        if self.look_again(name) is None:
            return errno.ENOENT
        value = self.recall(name, to)
        if value is None:
            return errno.EOPNOTSUPP
        return self.put(to, value, self.inode_of(to), False, calls)

    def put_sealed(self, name, to, calls):
        """From the sealed value of the last write, if that is what the service holds."""
        found = self.look_again(name)
        if found is None:
            return errno.ENOENT
        if self.sealed.get(name) != found.version:
            return errno.EOPNOTSUPP
        return self.put(to, self.held[name].value, self.inode_of(to), False, calls)

    def duplicate(self, name, to, taken, calls):
        """By the service itself, onto a free name; `taken`: the errno if it isn't."""
        if self.look(name) is None:
            return errno.ENOENT
        if self.look(to) is not None:
            return taken
        if self.is_stale(name):
            calls.append(("duplicate", STALE, None, 404))
            self.invalidate(name, to)
            return errno.ENOENT
        fault = self.meet("duplicate", name)
        if fault == "refused":
            calls.append(("duplicate", name, None, 403))
            return errno.EACCES
        if fault == "throttled":
            calls.append(("duplicate", name, None, 429))
        elif fault == "reply_lost" and to not in self.held:
            calls.append(("duplicate", name, None, "dropped"))
            self.hold(to, self.held[name].value)
            self.own_change(to, self.inode_of(to))
            return 0
        elif fault:
            calls.append(("duplicate", name, None, UNANSWERED[fault]))
            if self.look_again(to):
                return taken  # by another client, and before
        if to in self.held:
            calls.append(("duplicate", name, None, self.service.taken))
            self.invalidate(name, to)
            return taken
        calls.append(("duplicate", name, None, 200))
        self.hold(to, self.held[name].value)
        self.own_change(to, self.inode_of(to))
        return 0
