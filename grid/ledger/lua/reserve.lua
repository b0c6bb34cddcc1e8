--[[
  Picks a substation for each request and commits its watts there, or puts it in line, in one atomic step.

  ARGV[2]  { requests: [{ session, vehicle, watts, energy_wh, ready_by?, priority? }],
             avoid: [substation],   -- those that have just refused these requests
             longest_line }         -- so many may wait
  returns  for each request { outcome, state, substation, url, epoch, attempt, watts, energy_wh, accepted, position,
                              pace_ms, pace_watts, charging, takes }
             placed   the watts are held; energy_wh is what is still missing
             waiting  in line, at `position`; it is given to a substation as soon as there is room, see serve.lua.
                      Every `pace_ms` a session of `pace_watts` ends in this zone (numbers as text, '' if not known
                      yet), so many are `charging`, and this one `takes` so many ms
             ended    known, and finished, cancelled or expired before, or its owner's cancel is under way
             conflict the session id is known with other values
             full     nobody has room, and the line is full   (nothing is recorded; only the outcome is returned)
             too-big  no substation of this zone could ever carry so much   (likewise)
             too-late its ready-by time has passed   (likewise)
             nowhere  no substation is routable at all   (likewise)

  A known session id gets its first answer again: the id is the idempotency key.

  O(log N + window) per request for N substations, and O(lines × log W) once if W wait: see serve.lua.
]]
local function answer(outcome, record)
  return {
    outcome, record.state, record.substation, substation_of(record.substation).url, record.epoch, record.attempt,
    record.watts, record.energy_wh - record.done, record.accepted,
  }
end

local in_line = {}
local function place_in_line(session, record)
  local told = answer('waiting', record)
  told[14] = takes_ms(record)
  in_line[#in_line + 1] = { session, told }
  return told
end

-- When all of them have their places: who comes later in a fleet may be before the others.
local function tell_places()
  if #in_line == 0 then return end
  local ms, watts = unpack(call('HMGET', PACE, 'ms', 'watts'))
  local charging = tonumber(call('HGET', STATES, 'charging') or 0)
  for _, entry in ipairs(in_line) do
    local session, told = unpack(entry)
    told[10] = call('ZRANK', WAITING, session) + 1
    told[11], told[12], told[13] = ms or '', watts or '', charging
  end
end

-- Nil while nobody waits.
local line = call('EXISTS', WAITING) == 1 and open_line() or nil
local all_served = not line or line.serve()

-- Those who wait have been served, so what room is left is of no use to any of them, unless it is kept for them. Of
-- about the same power only the first was looked at, so whoever else needs as much comes behind.
local function pick_behind_the_line(record)
  if not line then return pick(record.watts) end
  if not all_served or first_in(UNKEPT, line_of(record.watts)) then return end
  local id, room = pick(record.watts)
  if id and line.keep_room_before(latest_start(record)) then return pick(record.watts) end
  return id, room
end

local function no_room(watts)
  if call('EXISTS', HEADROOM) == 0 then return 'nowhere' end
  local _, largest = unpack(call('ZREVRANGE', LIMIT, 0, 0, 'WITHSCORES'))
  if watts > tonumber(largest) then return 'too-big' end
  if call('ZCARD', WAITING) >= asked.longest_line then return 'full' end
end

local function new(request)
  return {
    vehicle = request.vehicle, watts = request.watts, energy_wh = request.energy_wh,
    ready_by = request.ready_by, priority = request.priority,
    substation = '', epoch = 0, attempt = 0, done = 0, accepted = now,
  }
end

local placed_now = {}

-- Those of a fleet come in line one ms after the other, so that they keep their order.
local function place(session, record, number)
  local id, room = pick_behind_the_line(record)
  if id then
    reserve(session, record, id, substation_of(id).epoch, room)
    placed_now[session] = true
    return answer('placed', record)
  end
  local why = no_room(record.watts)
  if why then return { why } end
  record.promised = true
  record.latest = latest_start(record) + number - 1
  rest(session, record, 'waiting')
  line = line or open_line()
  return place_in_line(session, record)
end

-- Two callers have this session now, and what one of them is told the other does not know.
local function promise(session, record)
  if record.promised or placed_now[session] then return end
  record.promised = true
  write(session, record)
end

local function is_another(request, record)
  if record.vehicle ~= request.vehicle or record.watts ~= request.watts then return true end
  -- Of what heartbeats brought back after a loss, no more than that is known.
  if record.adopted then return false end
  return record.energy_wh ~= request.energy_wh or record.ready_by ~= request.ready_by
    or record.priority ~= request.priority
end

local answers = {}
for i, request in ipairs(asked.requests) do
  local session = request.session
  local record = read(SESSIONS, session)
  if not record and (request.ready_by or math.huge) <= now then
    answers[i] = { 'too-late' }
  elseif not record then
    answers[i] = place(session, new(request), i)
  elseif is_another(request, record) then
    answers[i] = { 'conflict' }
  elseif record.state == 'requested' then
    answers[i] = place(session, record, i)
  elseif record.state == 'waiting' then
    promise(session, record)
    answers[i] = place_in_line(session, record)
  elseif HOLDS_WATTS[record.state] and not record.cancelled then
    promise(session, record)
    answers[i] = answer('placed', record)
  else
    answers[i] = answer('ended', record)
  end
end
tell_places()
write_counts()
return answers
