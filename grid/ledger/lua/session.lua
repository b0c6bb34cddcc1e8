-- What a session's states do to the watts at its substation, to the line, and to what is due.
--   waiting -> reserved -> charging -> finished | cancelled | expired, and cancelling; docs/design.md draws it.
--   superseded is an attempt that was given up and may still run: a record of its own.
local HOLDS_WATTS = { reserved = true, charging = true, cancelling = true, superseded = true }

-- How long a session could have waited with its start; the same while it charges. Each interruption counts as one
-- `preemption_slack` less: who was interrupted before is the last to be interrupted again.
local function slack_of(session, record)
  return latest_start(session, record) - now - (record.interruptions or 0) * asked.preemption_slack
end

local function enter(session, record, state)
  local was = record.state
  if was then count(was, -1) end
  if was == 'waiting' then
    leave_line(session, record)
    record.promised = nil
  end
  count(state, 1)
  if was == 'charging' and state == 'waiting' then
    record.interruptions = (record.interruptions or 0) + 1
    record.interrupted_by = record.preempted and 'preempted' or 'substation_lost'
  end
  record.state = state
  if was ~= state then record.since, record.preempted = now, nil end
  record.slack = state == 'charging' and not record.preempted and slack_of(session, record) or nil
  if state == 'waiting' then join_line(session, record) end
end

-- Members of BY_SUBSTATION: `substation|session` holds watts; `substation|session|epoch.attempt` charges as it should,
-- so that a heartbeat which lists that attempt has nothing to tell, and its record need not be read.
local function charges_as(epoch, attempt)
  return '|' .. epoch .. '.' .. attempt
end

local function held_as(field, record)
  return record.substation .. '|' .. field .. (record.slack and charges_as(record.epoch, record.attempt) or '')
end

-- '}' is the character after '|'.
local function held_at(substation, limit)
  return call('ZRANGEBYLEX', BY_SUBSTATION, '[' .. substation .. '|', '(' .. substation .. '}', 'LIMIT', 0, limit or -1)
end

-- Members of BY_SLACK: what charges as it should, at each substation in order of slack, with all that preemption asks.
local SLACK_OFFSET = 10 ^ 14  -- so that a negative slack sorts, too

local function slack_as(session, record)
  local emergency = record.priority == 'emergency' and 'e' or 'n'
  local slack = math.max(0, record.slack + SLACK_OFFSET)
  return string.format('%s|%015d|%d|%d|%s|%s', record.substation, slack, record.watts, record.since, emergency, session)
end

local function most_slack_at(substation, limit)
  local found = call('ZREVRANGEBYLEX', BY_SLACK, '(' .. substation .. '}', '[' .. substation .. '|', 'LIMIT', 0, limit)
  for i, member in ipairs(found) do
    local slack, watts, since, priority, session = string.match(member, '^[^|]*|(%d+)|(%d+)|(%d+)|(.)|(.*)$')
    found[i] = {
      session = session, slack = tonumber(slack) - SLACK_OFFSET, watts = tonumber(watts), since = tonumber(since),
      is_emergency = priority == 'e',
    }
  end
  return found
end

local function index(field, record)
  call('ZADD', BY_SUBSTATION, 0, held_as(field, record))
  if record.slack then call('ZADD', BY_SLACK, 0, slack_as(field, record)) end
end

local function unindex(field, record)
  call('ZREM', BY_SUBSTATION, held_as(field, record))
  if record.slack then call('ZREM', BY_SLACK, slack_as(field, record)) end
end

local function field_of(member)
  return string.match(member, '^[^|]*|([^|]*)')
end

-- From here on the session's watts count at its substation.
local function hold(field, record)
  write(field, record)
  index(field, record)
  commit(record.substation, record.watts)
end

-- Its watts count there as before.
local function enter_held(session, record, state, epoch)
  unindex(session, record)
  record.epoch = epoch
  enter(session, record, state)
  index(session, record)
  write(session, record)
end

-- From here on its substation, under its present epoch, is to run the next attempt: each reply to a heartbeat of it
-- says so, until it lists the attempt or says how it ended.
local function reserve(session, record, id)
  enter(session, record, 'reserved')
  if record.attempt > 0 then
    record.latest, record.done = latest_start(session, record), delivered(session, record)
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
  unindex(field, record)
  commit(record.substation, -record.watts)
end

-- What becomes of a session that its substation will not run any more: it is queued for what it misses.
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
  unindex(session, record)
  index(field, old)
end
