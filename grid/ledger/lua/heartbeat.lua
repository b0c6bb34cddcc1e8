--[[
  A substation says what it is, what it really carries, and what has ended there. The reply says what it is to start
  and to stop. This is the one way to start a session, the confirmation that it charges, the release at its end, the
  turn of the queue for the room, the preemption for it, and the way an empty or stale ledger learns the truth again.

  ARGV[2]  { substation, url, epoch, number, capacity, limit, state,   -- state up | draining
             acknowledged,                                       -- number of the last heartbeat whose reply it has
             could_take,                                         -- watts, by its own account
             sessions: { session: [], attempt: [], watts: [], energy_wh: [], delivered_wh: [], vehicle: [] },
                          -- delivered_wh as text: it is only passed on, and numbers cost 0.3 µs each to convert
             ended: [ (session, attempt, how, delivered_wh, highest) ] }
                                                                 -- since the last answered heartbeat; an array of arrays
  returns  { outcome, epoch, { (session, attempt, why) to stop },   -- why: cancelled | preempted | superseded
             { (session, attempt, vehicle, watts, energy_wh, waited, priority) to start } }
                         -- waited in ms; false if it had not to wait, or has charged before
             registered  it had epoch 0: here is a new one. Nothing else of it is taken in, so that one which
                         arrives late does no harm; what it carries counts when it comes with the new epoch
             ok          taken in (a repeated number is answered but not taken in again)
             superseded  an older epoch, or an older number of this one: ignored; its sender asks for a new epoch
           What is to be started holds its watts here already. It is said again with each reply until the substation
           lists it, or says how it ended. One that hears no reply is `deaf`: for `heartbeat_ttl` ms its heartbeats have
           named no newer reply. It gets nothing new, and what is reserved there and not listed moves; what it lists stays.
           So it is with one that drains: it starts nothing more.

  how an attempt ended:  finished       all its energy delivered
                         cancelled      by its owner
                         stopped        because a heartbeat's reply said so; it was running
                         never_started  and never will: refused for want of room, or stopped before it came
  delivered_wh counts this attempt only. `highest` is the highest attempt of the session that the substation remembers:
  the next one must be above it.  O(S log T) for S sessions listed or held, T in the ledger; and serve.lua.
]]
local id = asked.substation
local known = read(SUBSTATIONS, id)
local epoch = asked.epoch
if epoch == 0 then
  call('ZADD', HEARTBEATS, 'NX', now + asked.retention, id)  -- forgotten if it is not heard of again
  return { 'registered', call('HINCRBY', EPOCHS, id, 1), {}, {} }
elseif known and (epoch < known.epoch or (epoch == known.epoch and asked.number < known.number)) then
  return { 'superseded', known.epoch, {}, {} }
end
local repeated = known and epoch == known.epoch and asked.number == known.number

-- Members of BY_SUBSTATION: what the ledger holds here, and is not listed as charging.
local held = {}
local running, ended, freed, freed_watts = {}, {}, 0, 0
local stops, starts, not_started_watts, stopping_watts = {}, {}, 0, 0
local hears_nothing = known and known.epoch == epoch and asked.acknowledged <= known.acknowledged
local deaf_since = hears_nothing and (known.deaf_since or now) or nil
local deaf = deaf_since and now - deaf_since >= asked.heartbeat_ttl

local function order_stop(session, record)
  local why = record.state == 'cancelling' and 'cancelled' or record.preempted and 'preempted' or 'superseded'
  stops[#stops + 1] = { session, record.attempt, why }
  stopping_watts = stopping_watts + record.watts
end

local function order_start(session, record)
  starts[#starts + 1] = {
    session, record.attempt, record.vehicle, record.watts, record.energy_wh - record.done,
    not record.interruptions and record.waited or false, record.priority or 'normal',
  }
end

local function confirm(session, record)
  if record.state == 'cancelling' or record.preempted then order_stop(session, record) end
  if record.epoch == epoch and record.state ~= 'reserved' then return end
  enter_held(session, record, record.state == 'cancelling' and 'cancelling' or 'charging', epoch)
end

-- Another attempt of the session is the right one. Of each session a substation runs one attempt, the highest it knows.
local function leave_behind(session, record)
  if not HOLDS_WATTS[record.state] then return end
  if record.substation == id then let_go(session, record) else supersede(session, record) end
end

local function adopt(told, record)
  record = record
    or { vehicle = told.vehicle, watts = told.watts, energy_wh = told.energy_wh, done = 0, accepted = now,
      latest = now - at_full_power_ms(tonumber(told.delivered_wh), told.watts), adopted = true }
  -- Redis may have been rolled back: what an attempt was given was what the earlier ones had left.
  local done = math.max(record.done, record.energy_wh - told.energy_wh)
  record.latest = record.latest + at_full_power_ms(done - record.done, record.watts)
  record.done, record.preempted = done, nil
  enter(told.session, record, 'charging')
  record.substation, record.epoch = id, epoch
  record.attempt, record.watts = told.attempt, told.watts
  hold(told.session, record)
  call('ZREM', DUE, told.session)
end

-- The record is older than what runs, or ran: Redis was rolled back, or its substation had been taken for lost.
local function is_news(record, attempt)
  if record.state == 'cancelling' or record.state == 'cancelled' then return false end
  local runs_nowhere = record.state == 'waiting' or record.state == 'expired'
  return attempt > record.attempt or (attempt == record.attempt and runs_nowhere)
end

-- One session that runs here.
local function take_in(told, record)
  local session, attempt = told.session, told.attempt
  if running[session] == attempt then return end
  local ours = record and record.substation == id and record.attempt == attempt
  if ours and HOLDS_WATTS[record.state] then
    running[session] = attempt
    call('HSET', DELIVERED, session, told.delivered_wh)  -- its slack depends on it
    return confirm(session, record)
  end
  local field = superseded_field(session, attempt, id)
  if call('HEXISTS', SESSIONS, field) == 1 then
    running[field] = true
    order_stop(session, told)
  elseif not record or is_news(record, attempt) then
    running[session] = attempt
    if record then leave_behind(session, record) end
    call('HSET', DELIVERED, session, told.delivered_wh)
    adopt(told, record)
  else
    -- The session is served elsewhere, or over.
    running[field] = true
    hold(superseded(session, attempt, told.watts, id, epoch))
    order_stop(session, told)
  end
end

-- Most are known to charge here: of those nothing else is read or written than what they have got.
local function take_in_sessions()
  for _, member in ipairs(held_at(id)) do held[member] = true end
  local listed, here, delivered, suffixes = asked.sessions, id .. '|', {}, {}
  for i, session in ipairs(listed.session or {}) do
    local attempt = listed.attempt[i]
    suffixes[attempt] = suffixes[attempt] or charges_as(epoch, attempt)
    local member = here .. session .. suffixes[attempt]
    if held[member] then
      held[member] = nil
    else
      local told = {}
      for column, values in pairs(listed) do told[column] = values[i] end
      take_in(told, read(SESSIONS, session))
      member = running[session] == attempt
    end
    if member then
      delivered[#delivered + 1] = session
      delivered[#delivered + 1] = listed.delivered_wh[i]
    end
  end
  for first = 1, #delivered, 2000 do
    call('HSET', DELIVERED, unpack(delivered, first, math.min(first + 1999, #delivered)))
  end
end

-- A preempted one made room for one that was ahead of it: the queue moves no faster by that.
local function note_end(field, record)
  ended[field] = true
  if not record.preempted then freed, freed_watts = freed + 1, freed_watts + record.watts end
end

local function end_session(item)
  local session, attempt, how, delivered_wh, highest = unpack(item)
  local is_over = how == 'finished' or how == 'cancelled'
  local field = superseded_field(session, attempt, id)
  local record, old = read(SESSIONS, session), read(SESSIONS, field)
  if old then
    note_end(field, old)
    give_back(field, old)
  end
  local ours = record and record.substation == id and record.attempt == attempt
  if ours and (HOLDS_WATTS[record.state] or record.state == 'cancelled') then
    call('HSET', DELIVERED, session, delivered_wh)
  end
  if ours and HOLDS_WATTS[record.state] then
    note_end(session, record)
    let_go(session, record)
    record.attempt = math.max(attempt, highest)
    rest(session, record, is_over and how or without_substation(session, record))
  elseif record and is_over and is_news(record, attempt) then
    -- The ledger has it elsewhere, or waiting. It needs no other.
    leave_behind(session, record)
    ended[session], record.attempt = true, attempt
    if how == 'finished' then record.done = record.energy_wh - delivered_wh end
    call('HSET', DELIVERED, session, delivered_wh)
    rest(session, record, how)
  end
end

-- Held by the ledger, not listed, not told as ended.
local function missing(field, record)
  if record.epoch < epoch then
    -- It ran in an earlier incarnation, which is gone, or was meant for it; this one refuses that epoch.
    give_back(field, record)
  elseif record.state == 'reserved' then
    local is_too_old = deaf and now - record.since >= asked.heartbeat_ttl
    if is_too_old or asked.state == 'draining' then return give_back(field, record) end
    order_start(field, record)
    not_started_watts = not_started_watts + record.watts
  else
    -- To be stopped; or charging in a Redis that was rolled back, and over since: the answer says how.
    order_stop(record.session or field, record)
  end
end

local function reconcile()
  local fields = {}
  for member in pairs(held) do fields[#fields + 1] = field_of(member) end
  table.sort(fields)
  for _, field in ipairs(fields) do
    if not running[field] and not ended[field] then missing(field, read(SESSIONS, field)) end
  end
end

-- How fast room comes free in this zone while somebody waits for it, and how much at a time: means of about the last
-- 16 sessions that ended.
local function measure_pace()
  if call('EXISTS', WAITING) == 0 then return call('HDEL', PACE, 'at') end
  local last, ms, watts = unpack(call('HMGET', PACE, 'at', 'ms', 'watts'))
  local old = (15 / 16) ^ freed
  local function mean(before, present)
    return string.format('%.3f', before and before * old + present * (1 - old) or present)
  end
  if last then call('HSET', PACE, 'ms', mean(ms, (now - last) / freed), 'watts', mean(watts, freed_watts / freed)) end
  call('HSET', PACE, 'at', now)
end

local function describe(state)
  if not known or epoch > known.epoch then
    if epoch > tonumber(call('HGET', EPOCHS, id) or 0) then call('HSET', EPOCHS, id, epoch) end
    call('HSETNX', COMMITTED, id, 0)
  end
  write_substation(id, {
    url = asked.url, epoch = epoch, number = asked.number, capacity = asked.capacity, state = state, heard = now,
    acknowledged = asked.acknowledged, deaf_since = deaf_since,
  })
  call('ZADD', LIMIT, asked.limit, id)
end

local function serve_from_here()
  local held_watts = tonumber(call('HGET', COMMITTED, id))
  call('ZADD', HEADROOM, math.min(asked.limit - held_watts, asked.could_take - not_started_watts), id)
  call('ZADD', LOAD, load_of(held_watts, asked.limit), id)
  local _, earliest = unpack(call('ZRANGE', WAITING, 0, 0, 'WITHSCORES'))
  if not earliest then return end
  if serve() then
    for _, one in ipairs(preempt(id, asked.limit, stopping_watts, tonumber(earliest))) do order_stop(unpack(one)) end
  end
  for _, gift in ipairs(given) do
    if gift[2].substation == id then order_start(gift[1], gift[2]) end
  end
end

if not repeated then
  local state = asked.state == 'up' and deaf and 'deaf' or asked.state
  describe(state)
  take_in_sessions()
  for _, item in ipairs(asked.ended) do end_session(item) end
  reconcile()
  if freed > 0 then measure_pace() end
  call('SREM', EJECTED, id)
  if state == 'up' then serve_from_here() else unlist(id) end
end
call('ZADD', HEARTBEATS, now + asked.heartbeat_ttl, id)
return { 'ok', epoch, stops, starts }
