--[[
  Looks at what is due: substations that fell silent, reservations nobody confirmed, sessions long over.
  Any number of balancers may call it at any time.

  ARGV[2]  { limit, lost, retention }    -- how many of each kind at most; ms, ms
  returns  { silenced, lost, unsettled, interrupted, forgotten }: how many of each this call dealt with
             silenced     a heartbeat is overdue: out of `load` and `headroom`, nothing new goes there
             lost         silent for `lost` ms more: its sessions are over there; after `retention` ms it is forgotten
             unsettled    a reservation that was not confirmed in time; its watts stay until it is cancelled
             interrupted  sessions of lost substations
             forgotten    records of sessions that ended more than `retention` ago

  O(limit × log T), T sessions in the ledger.
]]
local silenced, lost, unsettled, interrupted, forgotten = 0, 0, 0, 0, 0

local function becomes(id, substation, state, next_look)
  substation.state = state
  call('HSET', SUBSTATIONS, id, cjson.encode(substation))
  call('ZADD', HEARTBEATS, next_look, id)
end

local function silence(id, substation)
  call('ZREM', HEADROOM, id)
  call('ZREM', LOAD, id)
  becomes(id, substation, 'silent', now + asked.lost)
  silenced = silenced + 1
end

-- The epoch is over with it: a heartbeat that is still on its way knows nothing of what started after it was sent.
local function lose(id, substation)
  local members = held_at(id, asked.limit)
  for _, member in ipairs(members) do
    local field = string.sub(member, #id + 2)
    local record = read(SESSIONS, field)
    give_back(field, record, record.cancelled and 'cancelled' or 'interrupted', asked.retention)
    interrupted = interrupted + 1
  end
  if #members < asked.limit then
    substation.epoch = call('HINCRBY', EPOCHS, id, 1)
    becomes(id, substation, 'lost', now + asked.retention)
    lost = lost + 1
  end
end

local function forget(id)
  call('ZREM', HEARTBEATS, id)
  call('HDEL', SUBSTATIONS, id)
  call('HDEL', COMMITTED, id)
  call('HDEL', LIMIT, id)
  call('HDEL', EPOCHS, id)
end

for _, id in ipairs(call('ZRANGEBYSCORE', HEARTBEATS, '-inf', now, 'LIMIT', 0, asked.limit)) do
  local substation = read(SUBSTATIONS, id)
  if substation.state == 'lost' then
    forget(id)
  elseif substation.state == 'silent' then
    lose(id, substation)
  else
    silence(id, substation)
  end
end

for _, field in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, asked.limit)) do
  local record = read(SESSIONS, field)
  call('ZREM', DUE, field)
  if record and record.state == 'reserved' then
    record.state, record.since = 'unsettled', now
    write(field, record)
    unsettled = unsettled + 1
  else
    call('HDEL', SESSIONS, field)
    call('HDEL', DELIVERED, field)
    forgotten = forgotten + 1
  end
end
return { silenced, lost, unsettled, interrupted, forgotten }
