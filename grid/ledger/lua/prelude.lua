--[[
  What the scripts share. The ledger's client puts the shared parts in front of each script (grid/ledger/ledger.py):
  prelude, then line (who waits), session (what a session's states do), pick and serve (who goes where).

  KEYS     all keys of a zone; a first line names them LOAD, HEADROOM, ...: grid/ledger/keys.py
  ARGV[1]  now in ms for a simulated clock, or '' for Redis' own (read once per script)
  ARGV[2]  JSON, described by each script; and in each of them
           { format,             -- of the keys: another one is refused with the error FORMAT <the other>
             heartbeat_ttl,      -- ms after a heartbeat during which its substation is routable
             lost,               -- ms after that until its sessions are over there
             longest_line,       -- so many may wait
             retention,          -- ms that an ended session is remembered
             patience, give_up,  -- ms after which a session without a ready-by time should have begun, and is given up
             preemption_slack,   -- ms by which a queued session must be more urgent than those it stops; preempt.lua
             priority_shift,     -- ms by which emergency comes earlier, and flexible later
             time_scale,         -- simulated seconds of charging in a real second
             protect }           -- charger sizes in falling order whose slots are worth keeping; see pick.lua

  Numbers are whole: watts, watt-hours, milliseconds.
]]
local call = redis.call
local asked = cjson.decode(ARGV[2])
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- An empty zone gets the format; one that was written in another format is left alone.
local format = call('GET', FORMAT)
if format ~= asked.format then
  if format or call('EXISTS', SESSIONS, SUBSTATIONS) > 0 then
    return redis.error_reply('FORMAT ' .. (format or '1'))
  end
  call('SET', FORMAT, asked.format)
end

local function read(hash, field)
  local text = call('HGET', hash, field)
  return text and cjson.decode(text)
end

local seen = {}
local function substation_of(id)
  seen[id] = seen[id] or read(SUBSTATIONS, id) or { url = '' }
  return seen[id]
end

local function write(field, record)
  call('HSET', SESSIONS, field, cjson.encode(record))
end

local function write_substation(id, substation)
  call('HSET', SUBSTATIONS, id, cjson.encode(substation))
end

-- Counts the sessions in each state. Each change of a state goes through here.
local function count(state, number)
  if call('HINCRBY', STATES, state, number) == 0 then call('HDEL', STATES, state) end
end

-- In all its attempts, as far as heartbeats told. `done` is what it had when the present attempt began.
local function delivered(session, record)
  return record.done + (call('HGET', DELIVERED, session) or 0)
end

local function load_of(committed, limit)
  return limit > 0 and committed / limit or 1
end

-- Load and headroom list routable substations only: nothing new goes to one that is not there.
local function unlist(id)
  call('ZREM', HEADROOM, id)
  call('ZREM', LOAD, id)
end

-- Load and headroom follow, of a routable one.
local function commit(id, watts)
  local committed = call('HINCRBY', COMMITTED, id, watts)
  if call('ZADD', HEADROOM, 'XX', 'INCR', -watts, id) then
    call('ZADD', LOAD, load_of(committed, tonumber(call('ZSCORE', LIMIT, id))), id)
  end
end
