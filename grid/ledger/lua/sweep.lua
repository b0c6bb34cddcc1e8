--[[
  Looks at what is due: substations that fell silent, who has waited too long, sessions long over. Any number
  of balancers may call it at any time.

  ARGV[2]  { limit }   -- how many of each kind at most
  returns  { {silenced}, {lost}, interrupted, expired, forgotten }
             silenced     a heartbeat is overdue: out of `load` and `headroom`, nothing new goes there
             lost         silent for `lost` ms more: its sessions are over there; after `retention` ms it is forgotten.
                          Its state is `left` if its last heartbeat said that it was draining: it was told to stop
             interrupted  sessions of lost substations: they are queued again, by their latest start
             expired      waiting, and its ready-by time, or `give_up` ms since it came into line, has passed
             forgotten    records of sessions that ended more than `retention` ago
           The first two are substations, the last three how many of each this call dealt with.

  O(limit × log T), T sessions in the ledger.
]]
local silenced, lost, interrupted, expired, forgotten = {}, {}, 0, 0, 0

local function becomes(id, substation, state, next_look)
  substation.state = state
  write_substation(id, substation)
  call('ZADD', HEARTBEATS, next_look, id)
end

local function silence(id, substation)
  unlist(id)
  call('SREM', EJECTED, id)
  becomes(id, substation, 'silent', now + asked.lost)
  silenced[#silenced + 1] = id
end

-- The epoch is over with it: a heartbeat that is still on its way knows nothing of what started after it was sent.
local function lose(id, substation)
  local members = held_at(id, asked.limit)
  for _, member in ipairs(members) do
    local field = field_of(member)
    local record = read(SESSIONS, field)
    give_back(field, record)
    interrupted = interrupted + 1
  end
  if #members < asked.limit then
    substation.epoch = call('HINCRBY', EPOCHS, id, 1)
    becomes(id, substation, substation.state == 'draining' and 'left' or 'lost', now + asked.retention)
    lost[#lost + 1] = id
  end
end

local function forget(id)
  for _, key in ipairs({ HEARTBEATS, LIMIT }) do call('ZREM', key, id) end
  for _, key in ipairs({ SUBSTATIONS, COMMITTED, EPOCHS }) do call('HDEL', key, id) end
end

for _, id in ipairs(call('ZRANGEBYSCORE', HEARTBEATS, '-inf', now, 'LIMIT', 0, asked.limit)) do
  local substation = read(SUBSTATIONS, id)
  if not substation or substation.state == 'lost' or substation.state == 'left' then
    forget(id)
  elseif substation.state == 'silent' or substation.state == 'draining' then
    lose(id, substation)
  else
    silence(id, substation)
  end
end

for _, session in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, asked.limit)) do
  local record = read(SESSIONS, session)
  if record and record.state == 'waiting' then
    rest(session, record, 'expired')
    expired = expired + 1
  else
    if record then count(record.state, -1) end
    call('ZREM', DUE, session)
    call('HDEL', SESSIONS, session)
    call('HDEL', DELIVERED, session)
    forgotten = forgotten + 1
  end
end
return { silenced, lost, interrupted, expired, forgotten }
