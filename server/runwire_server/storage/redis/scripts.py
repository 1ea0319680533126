"""The Lua scripts, each with the SHA-1 that Redis knows it by. They are read once, when this is imported."""

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files

_FOLDER = files("runwire_server.storage.redis").joinpath("lua")


@dataclass(frozen=True, slots=True)
class Script:
    """One script. Its first comment says what its KEYS and ARGV are."""

    name: str
    text: str
    digest: str


def _script(name: str, *before: str) -> Script:
    text = "\n".join(_FOLDER.joinpath(f"{part}.lua").read_text("utf-8") for part in (*before, name))
    return Script(name, text, sha1(text.encode()).hexdigest())  # noqa: S324 -- Redis names scripts by it


def _of_session(name: str) -> Script:
    return _script(name, "common")


def _of_run(name: str) -> Script:
    return _script(name, "common", "run_common")


SESSION_READ = _of_session("session_read")
SESSION_CREATE = _of_session("session_create")
SESSION_UPDATE = _of_session("session_update")
SESSION_DELETE = _of_session("session_delete")
SESSION_RESTORE = _of_session("session_restore")
SESSION_SWEEP = _of_session("session_sweep")
SESSION_APPEND = _of_session("session_append")
SESSION_EVENTS = _of_session("session_events")
SESSION_FIND = _of_session("session_find")
SESSION_TRUNCATE = _of_session("session_truncate")
SESSION_STATE = _of_session("session_state")
SESSION_COPY = _of_session("session_copy")
TRACK_APPEND = _of_session("track_append")
TRACK_LIST = _of_session("track_list")
RUN_CREATE = _of_run("run_create")
RUN_REFUSE = _of_run("run_refuse")
RUN_CLAIM = _of_run("run_claim")
RUN_CANCEL = _of_run("run_cancel")
RUN_MAIL = _of_run("run_mail")
RUN_APPEND = _of_run("run_append")
RUN_DELETE = _of_run("run_delete")
POINTER_TAKE = _script("pointer_take")
POINTER_STRIP = _script("pointer_strip")
POINTER_DROP = _script("pointer_drop")
MARK_CANCEL = _script("mark_cancel")
TIER_WRITE = _script("tier_write")
TIER_DONE = _script("tier_done")
TIER_SWEEP = _script("tier_sweep")
HINT_ADD = _script("hint_add")
HINT_DROP = _script("hint_drop")
HINT_MOVE = _script("hint_move")
HINT_LIST = _script("hint_list")
LEASE_RENEW = _script("lease_renew")
LEASE_LIST = _script("lease_list")
