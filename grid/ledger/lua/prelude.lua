--[[
  What the scripts share. The ledger's client puts this text in front of each of them, so every script
  has the same KEYS and the same first two ARGV, and there is one way to hold and give back watts.

  KEYS     the eleven keys of a zone, in the order of grid/ledger/keys.py
  ARGV[1]  now in ms for a simulated clock, or '' for Redis' own (read once per script)
  ARGV[2]  JSON, described by each script

  Numbers are whole: watts, watt-hours, milliseconds.
]]
local LOAD, HEADROOM, COMMITTED, LIMIT, HEARTBEATS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local SUBSTATIONS, EPOCHS, SESSIONS, DELIVERED = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local BY_SUBSTATION, DUE = KEYS[10], KEYS[11]

local call = redis.call
local asked = cjson.decode(ARGV[2])
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local HOLDS_WATTS = { reserved = true, charging = true, unsettled = true }
local PLACEABLE = { requested = true, interrupted = true }

local function read(hash, field)
  local text = call('HGET', hash, field)
  return text and cjson.decode(text)
end

local function write(field, record)
  call('HSET', SESSIONS, field, cjson.encode(record))
end

-- In all its attempts, as far as heartbeats told. `done` is what it had when the present attempt began.
local function delivered(session, record)
  return tonumber(call('HGET', DELIVERED, session) or record.done)
end

-- Load and headroom list routable substations only, so a substation that is not there stays out.
local function reindex(substation, committed, limit)
  call('ZADD', HEADROOM, limit - committed, substation)
  call('ZADD', LOAD, limit > 0 and committed / limit or 1, substation)
end

local function commit(substation, watts)
  local committed = call('HINCRBY', COMMITTED, substation, watts)
  if call('ZSCORE', HEADROOM, substation) then
    reindex(substation, committed, tonumber(call('HGET', LIMIT, substation)))
  end
end

-- From here on the session's watts count at its substation.
local function hold(field, record)
  write(field, record)
  call('ZADD', BY_SUBSTATION, 0, record.substation .. '|' .. field)
  commit(record.substation, record.watts)
end

-- The session runs nowhere now. An interrupted one is placed again by the next sweep; the others are remembered
-- for a while, as an answer to whoever asks.
local function rest(session, record, state)
  record.state, record.since = state, now
  write(session, record)
  call('ZADD', DUE, state == 'interrupted' and now or now + asked.retention, session)
end

-- Its watts no longer count.
local function give_back(field, record, state)
  call('ZREM', BY_SUBSTATION, record.substation .. '|' .. field)
  commit(record.substation, -record.watts)
  if record.superseded then
    call('HDEL', SESSIONS, field)
  else
    if state == 'interrupted' and delivered(field, record) >= record.energy_wh then state = 'finished' end
    rest(field, record, state)
  end
end

-- What becomes of a session that its substation will not run. Somebody may have been told that a `promised` one
-- charges: it must be served. Of any other, its only caller knows that it failed.
local function settled(record)
  if record.cancelled then return 'cancelled' end
  return record.promised and 'interrupted' or 'requested'
end

-- An attempt that was given up but may still run keeps its watts under a name of its own, so that the
-- session itself can be placed elsewhere. Its substation is told to cancel it at every heartbeat.
local function superseded_field(session, attempt, substation)
  return session .. '#' .. attempt .. '@' .. substation
end

local function supersede(session, record)
  local old = cjson.decode(cjson.encode(record))
  old.state, old.since, old.session, old.superseded = 'unsettled', now, session, true
  local field = superseded_field(session, old.attempt, old.substation)
  write(field, old)
  call('ZREM', BY_SUBSTATION, record.substation .. '|' .. session)
  call('ZADD', BY_SUBSTATION, 0, record.substation .. '|' .. field)
end

-- Members `substation|...` of BY_SUBSTATION: '}' is the character after '|'.
local function held_at(substation, limit)
  if limit then
    return call('ZRANGEBYLEX', BY_SUBSTATION, '[' .. substation .. '|', '(' .. substation .. '}', 'LIMIT', 0, limit)
  end
  return call('ZRANGEBYLEX', BY_SUBSTATION, '[' .. substation .. '|', '(' .. substation .. '}')
end
