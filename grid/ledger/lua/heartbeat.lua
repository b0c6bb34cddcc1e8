--[[
  A substation says what it is, what it really carries, and what has ended there. This is also the
  confirmation of a reservation, the release at the end of a session, the turn of those who wait for
  the room, and the way an empty or stale ledger learns the truth again.

  ARGV[2]  { substation, url, epoch, number, capacity, limit, state,   -- state up | draining
             sessions: { session: [], attempt: [], watts: [], energy_wh: [], delivered_wh: [], vehicle: [] },
                          -- delivered_wh as text: it is only passed on, and numbers cost 0.3 µs each to convert
             ended: [ (session, attempt, how, delivered_wh) ],   -- since the last answered heartbeat; an array of arrays
             ttl }                                               -- ms
  returns  { outcome, epoch, { (session, attempt) to cancel },
             { (session, attempt, vehicle, watts, energy_wh, waited, priority) to start } }   -- waited in ms
             registered  it had epoch 0: here is a new one. Nothing else of it is taken in, so that one which
                         arrives late does no harm; what it carries counts when it comes with the new epoch
             ok          taken in (a repeated number is answered but not taken in again)
             late        an older number of this epoch: ignored
             superseded  an older epoch: ignored; whoever sends it must ask for a new epoch
           What is to be started holds its watts here already. It is said again with each reply until the substation
           lists it, or says how it ended.

  how an attempt ended:  finished   all its energy delivered
                         cancelled  by its owner
                         stopped    because a heartbeat's reply said so; it was running
                         barred     likewise, or there was no room for it: it had never run, and it never will
  delivered_wh counts this attempt only.  O(S log T) for S sessions listed or held, T in the ledger; and serve.lua.
]]
local id = asked.substation
local known = read(SUBSTATIONS, id)
local epoch = asked.epoch
local repeated = false
if epoch == 0 then
  call('ZADD', HEARTBEATS, 'NX', now + asked.retention, id)  -- forgotten if it is not heard of again
  return { 'registered', call('HINCRBY', EPOCHS, id, 1), {}, {} }
elseif known and epoch < known.epoch then
  return { 'superseded', known.epoch, {}, {} }
elseif known and epoch == known.epoch and asked.number < known.number then
  return { 'late', epoch, {}, {} }
elseif known and epoch == known.epoch and asked.number == known.number then
  repeated = true
end

local function records(fields)
  local found = {}
  for first = 1, #fields, 1000 do
    local last = math.min(first + 999, #fields)
    local texts = call('HMGET', SESSIONS, unpack(fields, first, last))
    for i = 1, last - first + 1 do
      found[first + i - 1] = texts[i] and cjson.decode(texts[i]) or false
    end
  end
  return found
end

-- Members of BY_SUBSTATION: what the ledger holds here, and is not listed as charging.
local held = {}
local running, ended, freed, freed_watts = {}, {}, 0, 0
local cancels, starts = {}, {}

local function order_cancel(session, attempt)
  cancels[#cancels + 1] = { session, attempt }
end

local function order_start(session, record)
  starts[#starts + 1] = {
    session, record.attempt, record.vehicle, record.watts, record.energy_wh - record.done, record.waited,
    record.priority or 'normal',
  }
end

local function confirm(session, record)
  if record.epoch == epoch and (record.state == 'charging' or record.cancelled) then return end
  record.promised = true
  if record.cancelled then
    record.epoch = epoch
    return write(session, record)
  end
  enter_held(session, record, 'charging', epoch)
  call('ZREM', DUE, session)
end

local function adopt(told, record)
  record = record
    or { vehicle = told.vehicle, energy_wh = told.energy_wh, done = 0, accepted = now, latest = now, adopted = true }
  -- Redis may have been rolled back: what an attempt was given was what the earlier ones had left.
  record.done = math.max(record.done, record.energy_wh - told.energy_wh)
  enter(told.session, record, 'charging')
  record.substation, record.epoch = id, epoch
  record.attempt, record.watts, record.promised = told.attempt, told.watts, true
  hold(told.session, record)
  call('ZREM', DUE, told.session)
end

-- Another attempt of a session that is served elsewhere, or ended: its watts count until it is cancelled.
local function adopt_superseded(field, told)
  count('superseded', 1)
  hold(field, {
    state = 'unsettled', since = now, substation = id, epoch = epoch, session = told.session,
    attempt = told.attempt, watts = told.watts, superseded = true,
  })
end

-- An attempt runs that the ledger did not know of, so somebody may have been told that this session charges.
local function promise(session, record)
  if record.promised or not (HOLDS_WATTS[record.state] or UNSERVED[record.state]) then return end
  record.promised = true
  if record.state == 'requested' then
    rest(session, record, 'waiting')
  else
    write(session, record)
  end
end

-- The record is older than what runs: Redis was rolled back, or nobody has placed the session again yet.
local function is_news(record, attempt)
  if record.cancelled or record.state == 'cancelled' then return false end
  local runs_nowhere = UNSERVED[record.state] or record.state == 'expired'
  return attempt > record.attempt or (attempt == record.attempt and runs_nowhere)
end

-- One session that runs here.
local function take_in(told, record)
  local session, attempt = told.session, told.attempt
  if running[session] == attempt then return end
  local ours = record and record.substation == id and record.attempt == attempt
  if ours and HOLDS_WATTS[record.state] then
    running[session] = attempt
    if record.cancelled then order_cancel(session, attempt) end
    return confirm(session, record)
  end
  local field = superseded_field(session, attempt, id)
  if call('HEXISTS', SESSIONS, field) == 1 then
    running[field] = true
    order_cancel(session, attempt)
  elseif not record or is_news(record, attempt) then
    running[session] = attempt
    if record and HOLDS_WATTS[record.state] then supersede(session, record) end
    adopt(told, record)
  else
    running[field] = true
    adopt_superseded(field, told)
    order_cancel(session, attempt)
    if record then promise(session, record) end
  end
end

local function take_in_all(listed, numbers)
  local told, sessions = {}, {}
  for n, i in ipairs(numbers) do
    sessions[n], told[n] = listed.session[i], {}
    for column, values in pairs(listed) do told[n][column] = values[i] end
  end
  for n, record in ipairs(records(sessions)) do take_in(told[n], record) end
end

-- Most are known to charge here: of those nothing else is read or written than what they have got.
local function take_in_sessions()
  for _, member in ipairs(held_at(id)) do held[member] = true end
  local listed, here = asked.sessions, id .. '|'
  local suffixes, news, delivered = {}, {}, {}
  local function note_delivered(i)
    delivered[#delivered + 1] = listed.session[i]
    delivered[#delivered + 1] = listed.delivered_wh[i]
  end
  for i, session in ipairs(listed.session or {}) do
    local attempt = listed.attempt[i]
    suffixes[attempt] = suffixes[attempt] or charges_as(epoch, attempt)
    local member = here .. session .. suffixes[attempt]
    if held[member] then
      held[member] = nil
      note_delivered(i)
    else
      news[#news + 1] = i
    end
  end
  take_in_all(listed, news)
  for _, i in ipairs(news) do
    if running[listed.session[i]] == listed.attempt[i] then note_delivered(i) end
  end
  for first = 1, #delivered, 2000 do
    call('HSET', DELIVERED, unpack(delivered, first, math.min(first + 1999, #delivered)))
  end
end

local function end_session(item)
  local session, attempt, how, delivered_wh = item[1], item[2], item[3], item[4]
  local field, record = session, read(SESSIONS, session)
  if how == 'finished' and record and record.state == 'waiting' and record.attempt == attempt then
    -- Its substation was taken for lost, and finished it nevertheless: it needs no other.
    call('HSET', DELIVERED, session, delivered_wh)
    return rest(session, record, 'finished')
  end
  local ours = record and record.substation == id and record.attempt == attempt
  if ours and record.state == 'cancelled' then call('HSET', DELIVERED, session, delivered_wh) end
  if not (ours and HOLDS_WATTS[record.state]) then
    field = superseded_field(session, attempt, id)
    record = read(SESSIONS, field)
  end
  if not record then return end
  ended[field], freed, freed_watts = true, freed + 1, freed_watts + record.watts
  if not record.superseded then call('HSET', DELIVERED, session, delivered_wh) end
  if how == 'finished' or how == 'cancelled' then
    give_back(field, record, how)
  else
    record.promised = record.promised or how == 'stopped'
    give_back(field, record, settled(record))
  end
end

-- Held by the ledger, not listed, not told as ended.
local function missing(field, record)
  if record.epoch < epoch then
    -- It ran in an earlier incarnation, which is gone, or was meant for it; this one refuses that epoch.
    give_back(field, record, record.cancelled and 'cancelled' or 'waiting')
  elseif record.state == 'reserved' then
    -- Given to it before; the reply was lost, or another heartbeat gave it.
    if record.granted then order_start(field, record) end
  else
    -- Unsettled; or charging in a Redis that was rolled back, and over since: the answer to a cancel says how.
    order_cancel(record.session or field, record.attempt)
  end
end

local function reconcile()
  local fields = {}
  for member in pairs(held) do
    local field = field_of(member)
    if not running[field] and not ended[field] then fields[#fields + 1] = field end
  end
  table.sort(fields)
  local found = records(fields)
  for i, field in ipairs(fields) do
    if found[i] then missing(field, found[i]) end
  end
end

-- How fast room comes free in this zone while somebody waits for it, and how much at a time: means of about the last
-- 16 sessions that ended.
local function measure_pace()
  if call('EXISTS', WAITING) == 0 then return call('HDEL', PACE, 'at') end
  local last, ms, watts = unpack(call('HMGET', PACE, 'at', 'ms', 'watts'))
  if last then
    local old = (15 / 16) ^ freed
    local function mean(before, present)
      return string.format('%.3f', before and before * old + present * (1 - old) or present)
    end
    call('HSET', PACE, 'ms', mean(ms, (now - last) / freed), 'watts', mean(watts, freed_watts / freed))
  end
  call('HSET', PACE, 'at', now)
end

local function describe()
  local changed = asked.state ~= 'up' or tonumber(call('ZSCORE', LIMIT, id)) ~= asked.limit
  if known and known.keeps and changed then stop_keeping(known) end
  if not known or epoch > known.epoch then
    if epoch > tonumber(call('HGET', EPOCHS, id) or 0) then call('HSET', EPOCHS, id, epoch) end
    call('HSETNX', COMMITTED, id, 0)
  end
  write_substation(id, {
    url = asked.url, epoch = epoch, number = asked.number, capacity = asked.capacity, state = asked.state, heard = now,
    keeps = known and known.keeps or nil,
  })
  call('ZADD', LIMIT, asked.limit, id)
end

local function committed()
  return tonumber(call('HGET', COMMITTED, id))
end

local function grant_what_it_keeps(line, session)
  local record = read(SESSIONS, session)
  if record.watts <= asked.limit - committed() then line.grant_in_time(session, record, id) end
end

local function serve_from_here()
  local keeps = known and known.keeps and read(SUBSTATIONS, id).keeps
  reindex(id, committed(), asked.limit, keeps)
  if call('EXISTS', WAITING) == 0 then return end
  local line = open_line()
  if keeps then grant_what_it_keeps(line, keeps) end
  line.serve()
  for _, gift in ipairs(line.given) do
    if gift[2].substation == id then order_start(gift[1], gift[2]) end
  end
end

if not repeated then
  describe()
  take_in_sessions()
  for _, item in ipairs(asked.ended) do end_session(item) end
  reconcile()
  if freed > 0 then measure_pace() end
  if asked.state == 'up' then
    serve_from_here()
  else
    call('ZREM', HEADROOM, id)
    call('ZREM', LOAD, id)
  end
end
call('ZADD', HEARTBEATS, now + asked.ttl, id)
write_counts()
return { 'ok', epoch, cancels, starts }
