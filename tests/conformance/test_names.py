"""The storage contract: names that look alike to a database are different names, wherever one is used."""

from datetime import timedelta

from conformance.conftest import NOW
from conformance.test_sessions import KEY, STRANGE, event
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import CancelMode, CancelRequest, Run, RunState
from runwire_server.domain.sessions import EventQuery
from runwire_server.domain.state import Tier
from runwire_server.storage.port import RunFilter, Store


def run(request: str, session: SessionKey = KEY, **fields: object) -> Run:
    values = {"key": RunKey("app", request), "agent_name": "a", "state": RunState.QUEUED, **fields}
    return Run(session=session, create_time=NOW, **values)  # type: ignore[arg-type]


async def test_names_of_tracks(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    for name in STRANGE:
        await store.append_track_events(KEY, name, [name, "second"], NOW)

    for name in STRANGE:
        found = await store.list_track_events(KEY, name, after=0, limit=9)
        assert [(item.position, item.payload) for item in found] == [(1, name), (2, "second")]
    copy = await store.read_copy(KEY)
    assert set(copy.tracks) == set(STRANGE)


async def test_keys_of_state(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    for tier in Tier:
        for name in STRANGE:
            await store.update_state(KEY, tier, {name: name}, NOW)

    for tier in Tier:
        assert await store.get_state(KEY, tier) == {name: name for name in STRANGE}


async def test_names_of_runs_and_agents(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    for name in STRANGE:
        made, is_new = await store.create_run(run(name, agent_name=name, fingerprint=name))
        assert (made.fingerprint, is_new) == (name, True)

    for name in STRANGE:
        assert (await store.get_run(RunKey("app", name))).fingerprint == name
        assert not (await store.create_run(run(name)))[1]
        page = await store.list_runs(RunFilter(app_name="app", agent_name=name), limit=99)
        assert [item.key.request_id for item in page.items] == [name]


async def test_names_of_cancelled_runs_that_may_come(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    until = NOW + timedelta(hours=1)
    for name in STRANGE[::2]:
        request = CancelRequest(CancelMode.IMMEDIATE, name)
        assert (await store.request_cancel(RunKey("app", name), request, now=NOW, remember_until=until))[1]

    for name in STRANGE:
        made, _ = await store.create_run(run(name))
        assert (made.cancel.reason if made.cancel is not None else "") == (
            name if name in STRANGE[::2] else ""
        )


async def test_names_of_sessions_that_run(store: Store) -> None:
    for name in STRANGE:
        session = SessionKey("app", name, name)
        await store.create_session(session, {}, NOW)
        await store.create_run(run(f"r {STRANGE.index(name)}", session))

    for name in STRANGE:
        mine = RunFilter(app_name="app", user_id=name, session_id=name)
        page = await store.list_runs(mine, limit=99)
        assert [item.key.request_id for item in page.items] == [f"r {STRANGE.index(name)}"]
        # Each is the first of its own session.
        assert await store.claim_run(page.items[0].key, ReplicaId("me"), attempt=0, now=NOW) is not None


async def test_names_of_replicas(store: Store) -> None:
    for number, name in enumerate(STRANGE):
        session = SessionKey("app", "ann", str(number))
        await store.create_session(session, {}, NOW)
        await store.create_run(run(str(number), session))
        assert await store.claim_run(RunKey("app", str(number)), ReplicaId(name), attempt=0, now=NOW)
        if number % 2:
            await store.renew_lease(ReplicaId(name), ttl_seconds=60)

    orphans = {item.owner for item in await store.list_orphans(limit=99)}
    assert orphans == set(STRANGE[::2])
    request = CancelRequest(CancelMode.IMMEDIATE, "why")
    for number, name in enumerate(STRANGE):
        await store.request_cancel(RunKey("app", str(number)), request, now=NOW, remember_until=NOW)
        found = await store.list_with_mail(ReplicaId(name), limit=99)
        assert [item.key.request_id for item in found] == [str(number)]
    await store.release_lease(ReplicaId(STRANGE[1]))
    assert {item.owner for item in await store.list_orphans(limit=99)} == {*STRANGE[::2], STRANGE[1]}


async def test_ids_of_events(store: Store) -> None:
    await store.create_session(KEY, {}, NOW)
    for number, name in enumerate(STRANGE):
        await store.append_session_event(KEY, event(number, id=name, author=name), NOW)
        again = await store.append_session_event(KEY, event(number, id=name, author="again"), NOW)
        assert again.event.author == name

    found = await store.list_session_events(KEY, EventQuery(limit=99))
    assert [item.event.id for item in found] == STRANGE


async def test_pages_of_names_leave_none_out(store: Store) -> None:
    for name in STRANGE:
        await store.create_session(SessionKey("app", "ann", name), {}, NOW)
        await store.update_state(SessionKey("app", name, ""), Tier.USER, {"a": 1}, NOW)

    listed: list[str] = []
    owners: dict[Tier, list[str]] = {Tier.SESSION: [], Tier.USER: []}
    cursor: str | None = None
    while True:
        page = await store.list_sessions("app", "ann", limit=2, cursor=cursor)
        listed += [item.key.session_id for item in page.items]
        if (cursor := page.next_cursor) is None:
            break
    for tier, seen in owners.items():
        while True:
            keys = await store.list_owners(tier, limit=2, cursor=cursor)
            seen += [key.session_id or key.user_id for key in keys.items]
            if (cursor := keys.next_cursor) is None:
                break
    # As domain and port say: by code points, the last first.
    assert listed == sorted(STRANGE, reverse=True)
    assert sorted(owners[Tier.SESSION]) == sorted(owners[Tier.USER]) == sorted(STRANGE)
