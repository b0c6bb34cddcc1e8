-- What a session's states do to the watts at its substation, to the line, and to what is due.
--   waiting -> reserved -> charging -> finished | cancelled | expired, and cancelling; docs/design.md draws it.
--   superseded is an attempt that was given up and may still run: a record of its own.
local HOLDS_WATTS = { reserved = true, charging = true, cancelling = true, superseded = true }

local function enter(session, record, state)
  if record.state then count(record.state, -1) end
  if record.state == 'waiting' then leave_line(session, record) end
  count(state, 1)
  record.state, record.since = state, now
  if state == 'waiting' then join_line(session, record) end
end

-- Members of BY_SUBSTATION: `substation|session` holds watts; `substation|session|epoch.attempt` charges, so that a
-- heartbeat which lists that attempt has nothing to tell, and its record need not be read.
local function charges_as(epoch, attempt)
  return '|' .. epoch .. '.' .. attempt
end

local function held_as(field, record)
  local charges = record.state == 'charging' and charges_as(record.epoch, record.attempt) or ''
  return record.substation .. '|' .. field .. charges
end

-- '}' is the character after '|'.
local function held_at(substation, limit)
  return call('ZRANGEBYLEX', BY_SUBSTATION, '[' .. substation .. '|', '(' .. substation .. '}', 'LIMIT', 0, limit or -1)
end

local function field_of(member)
  return string.match(member, '^[^|]*|([^|]*)')
end

-- From here on the session's watts count at its substation.
local function hold(field, record)
  write(field, record)
  call('ZADD', BY_SUBSTATION, 0, held_as(field, record))
  commit(record.substation, record.watts)
end

-- Its watts count there as before.
local function enter_held(session, record, state, epoch)
  call('ZREM', BY_SUBSTATION, held_as(session, record))
  record.epoch = epoch
  enter(session, record, state)
  call('ZADD', BY_SUBSTATION, 0, held_as(session, record))
  write(session, record)
end

-- From here on its substation, under its present epoch, is to run the next attempt: each reply to a heartbeat of it
-- says so, until it lists the attempt or says how it ended.
local function reserve(session, record, id)
  enter(session, record, 'reserved')
  if record.attempt > 0 then
    record.done = delivered(session, record)
    call('HDEL', DELIVERED, session)
  end
  record.substation, record.epoch, record.attempt = id, substation_of(id).epoch, record.attempt + 1
  hold(session, record)
end

-- When a session that waits has waited in vain. One that had a substation before is plugged in: it has some time in
-- any case.
local function given_up_at(record)
  if not record.ready_by then return record.since + asked.give_up end
  return record.attempt > 0 and math.max(record.ready_by, record.since + asked.patience) or record.ready_by
end

-- The session runs nowhere now. If it waits it is given up at some time; else it is remembered for a while, as an
-- answer to whoever asks.
local function rest(session, record, state)
  enter(session, record, state)
  write(session, record)
  call('ZADD', DUE, state == 'waiting' and given_up_at(record) or now + asked.retention, session)
end

-- Its watts no longer count.
local function let_go(field, record)
  call('ZREM', BY_SUBSTATION, held_as(field, record))
  commit(record.substation, -record.watts)
end

-- What becomes of a session that its substation will not run any more: it waits at its old place, for what it misses.
local function without_substation(session, record)
  if record.state == 'cancelling' then return 'cancelled' end
  return delivered(session, record) >= record.energy_wh and 'finished' or 'waiting'
end

local function give_back(field, record)
  let_go(field, record)
  if record.state ~= 'superseded' then return rest(field, record, without_substation(field, record)) end
  count('superseded', -1)
  call('HDEL', SESSIONS, field)
end

-- An attempt that was given up but may still run keeps its watts under a name of its own, so that the session itself
-- can be placed elsewhere. Its substation is told to stop it at every heartbeat.
local function superseded_field(session, attempt, substation)
  return session .. '#' .. attempt .. '@' .. substation
end

local function superseded(session, attempt, watts, substation, epoch)
  count('superseded', 1)
  return superseded_field(session, attempt, substation), {
    state = 'superseded', since = now, session = session, attempt = attempt, watts = watts,
    substation = substation, epoch = epoch,
  }
end

local function supersede(session, record)
  local field, old = superseded(session, record.attempt, record.watts, record.substation, record.epoch)
  write(field, old)
  call('ZREM', BY_SUBSTATION, held_as(session, record))
  call('ZADD', BY_SUBSTATION, 0, held_as(field, old))
end
