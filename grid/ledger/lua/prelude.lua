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

-- They no longer do. The record stays, in its last state, until `due` forgets it.
local function give_back(field, record, state, retention)
  call('ZREM', BY_SUBSTATION, record.substation .. '|' .. field)
  commit(record.substation, -record.watts)
  if record.superseded then
    call('HDEL', SESSIONS, field)
    call('ZREM', DUE, field)
    return
  end
  if state == 'interrupted' then
    record.done = tonumber(call('HGET', DELIVERED, field) or record.done)
    if record.done >= record.energy_wh then state = 'finished' end
  end
  record.state, record.since = state, now
  write(field, record)
  call('ZADD', DUE, now + retention, field)
end

-- What an unsettled session becomes once its substation has said that it does not run.
local function settled(record)
  return record.cancelled and 'cancelled' or 'requested'
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
