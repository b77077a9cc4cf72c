"""Named checks, the harness's words, and connections to what it started."""

import os
import queue
import sys
import threading
import time
import traceback

from kazoo.client import KazooClient, KazooState
from kazoo.retry import KazooRetry

SERVER = os.environ["QUOLL_SERVER"]
PROXY = os.environ["QUOLL_PROXY"]
SECURE = os.environ["QUOLL_SECURE"]
CERTS = os.environ["QUOLL_CERTS"]
WAIT = 60.0  # seconds; the bound of every wait
TIMEOUT = 40.0  # seconds; a session that lives through a restart of the server

_made = 0
_failed = 0


def check(name, body):
    """Runs body; it fails by raising."""
    global _made, _failed
    _made += 1
    try:
        body()
        print("ok", name, flush=True)
    except BaseException as e:  # a judge reports whatever happened
        _failed += 1
        frame = traceback.extract_tb(e.__traceback__)[-1]
        ours = [f for f in traceback.extract_tb(e.__traceback__) if "/kazoo/" in f.filename and "site-packages" not in f.filename]
        at = ours[-1] if ours else frame
        print("FAIL", name, repr(e).replace("\n", " "), f"({os.path.basename(at.filename)}:{at.lineno})", flush=True)
        traceback.print_exc()


def finish():
    """Prints the closing line and ends the program."""
    print("done", _made, flush=True)
    os._exit(1 if _failed else 0)  # threads of a failed check must not keep it alive


def control(verb):
    """Asks the harness to do something and waits until it is done."""
    print("control", verb, flush=True)
    equal(sys.stdin.readline().strip(), verb, "the harness's answer")


def equal(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: want {want!r}, got {got!r}")


def that(ok, what):
    if not ok:
        raise AssertionError(what)


def refused(error, call, *args, **kwargs):
    """The server must answer with exactly this error."""
    try:
        got = call(*args, **kwargs)
    except error as e:
        equal(type(e), error, "error")
        return
    raise AssertionError(f"want {error.__name__}, got {got!r}")


def until(what, condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        that(time.monotonic() < deadline, f"never: {what}")
        time.sleep(0.01)


class Events:
    """A watcher that keeps its events."""

    def __init__(self):
        self.queue = queue.Queue()

    def __call__(self, event):
        self.queue.put(event)

    def expect(self, kind, path):
        event = self.queue.get(timeout=WAIT)
        equal((event.type, event.path, event.state), (kind, path, "CONNECTED"), "event")

    def none(self):
        that(self.queue.empty(), "an event that should not be")


class Client(KazooClient):
    """A started client that keeps its states. Closes at the end of a with block."""

    def __init__(self, hosts=SERVER, timeout=TIMEOUT, wait=True, **kwargs):
        retry = dict(max_tries=-1, delay=0.05, backoff=1, max_delay=0.2, ignore_expire=False)
        super().__init__(hosts=hosts, timeout=timeout, connection_retry=KazooRetry(**retry), **kwargs)
        self.states = queue.Queue()
        self.details = []  # what kazoo's few states hide
        self.add_listener(self._note)
        if wait:
            self.start(timeout=WAIT)
        else:
            self.start_async()

    def _note(self, state):
        self.details.append(self.client_state)
        self.states.put(state)

    def await_state(self, state):
        """Waits for a state, dropping others before it."""
        while self.states.get(timeout=WAIT) != state:
            pass

    def end(self):
        self.stop()
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def background(function, *args):
    """Runs function in a thread; the result's join() gives its value or raises its error."""
    result = queue.Queue()

    def body():
        try:
            result.put((function(*args), None))
        except BaseException as e:
            result.put((None, e))

    threading.Thread(target=body, daemon=True).start()

    def join():
        value, error = result.get(timeout=WAIT)
        if error is not None:
            raise error
        return value

    return join


__all__ = [
    "SERVER", "PROXY", "SECURE", "CERTS", "WAIT", "TIMEOUT", "KazooState",
    "Client", "Events", "background", "check", "control", "equal", "finish", "refused", "that", "until",
]
