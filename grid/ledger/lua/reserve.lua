--[[
  Picks a substation for each request and commits its watts there, or puts it in line, in one atomic step.

  ARGV[2]  { requests: [{ session, vehicle, watts, energy_wh, ready_by?, priority?,
                          refused? }],   -- the attempt that its substation has refused for good: the session moves
             avoid: [substation] }       -- those that have refused
  returns  for each request { outcome, state, substation, url, epoch, attempt, watts, energy_wh, accepted, number,
                              position, expected_wait }
             placed   the watts are held; energy_wh is what is still missing; `number` is that of the last heartbeat
                      of the substation
             waiting  in line, at `position`; it is given to a substation as soon as there is room, see serve.lua
             ended    known, and finished, cancelled or expired before, or its owner's cancel is under way
             conflict the session id is known with other values
             full     nobody has room, and the line is full   (nothing is recorded; only the outcome is returned)
             too-big  no substation of this zone could ever carry so much   (likewise)
             too-late its ready-by time has passed   (likewise)
             nowhere  no substation is routable at all   (likewise)

  A known session id gets its first answer again: the id is the idempotency key. From now on the session is the
  ledger's: its substation reads of it in the reply to its next heartbeat, also if nobody posts the order there.

  O(log N + window) per request for N substations, and O(lines × log W) once if W wait: see serve.lua.
]]
local is_any_queued = call('EXISTS', WAITING) == 1
local all_served = not is_any_queued or serve()

-- The queue has been served, so what room is left is of no use to any session in it. Of about the same power only the
-- first was looked at, so a new request of as much comes behind.
local function pick_behind_the_line(record)
  if is_any_queued and (not all_served or first_in(line_of(record.watts), 1)[1]) then return end
  return pick(record.watts)
end

local function no_room(watts)
  if call('EXISTS', HEADROOM) == 0 then return 'nowhere' end
  local _, largest = unpack(call('ZREVRANGE', LIMIT, 0, 0, 'WITHSCORES'))
  if watts > tonumber(largest) then return 'too-big' end
  if call('ZCARD', WAITING) >= asked.longest_line then return 'full' end
end

-- Those of a fleet come in line one ms after the other, so that they keep their order.
local function place(request, number)
  if (request.ready_by or math.huge) <= now then return { outcome = 'too-late' } end
  local record = {
    vehicle = request.vehicle, watts = request.watts, energy_wh = request.energy_wh,
    ready_by = request.ready_by, priority = request.priority,
    substation = '', epoch = 0, attempt = 0, done = 0, accepted = now,
  }
  record.latest = first_latest_start(record)
  local id = pick_behind_the_line(record)
  if id then
    reserve(request.session, record, id)
  else
    local why = no_room(record.watts)
    if why then return { outcome = why } end
    record.latest = record.latest + number - 1
    rest(request.session, record, 'waiting')
    is_any_queued = true
  end
  return record
end

-- Queues the session by its latest start, and serves the queue at all substations but those that have refused.
local function move(session, record)
  give_back(session, record)
  is_any_queued = true
  all_served = serve()
  return read(SESSIONS, session)
end

-- Of what heartbeats brought back after a loss, no more than the vehicle and its power is known.
local function is_another(request, record)
  local names = { 'vehicle', 'watts', 'energy_wh', 'ready_by', 'priority' }
  for i = 1, record.adopted and 2 or #names do
    if request[names[i]] ~= record[names[i]] then return not record.abandoned end
  end
  return false
end

local function decide(request, number)
  local record = read(SESSIONS, request.session)
  if not record then return place(request, number) end
  if is_another(request, record) then return { outcome = 'conflict' } end
  if record.state == 'reserved' and record.attempt == request.refused then return move(request.session, record) end
  return record
end

local OUTCOMES = { waiting = 'waiting', reserved = 'placed', charging = 'placed' }

local function answer(session, record)
  if record.outcome then return { record.outcome } end
  if record.state == 'waiting' then record = read(SESSIONS, session) end  -- another one's move may have served it
  local substation = substation_of(record.substation)
  return {
    OUTCOMES[record.state] or 'ended', record.state, record.substation, substation.url, record.epoch, record.attempt,
    record.watts, record.energy_wh - record.done, record.accepted, substation.number or 0, place_in_line(session, record),
  }
end

-- All have their places before any is told: who comes later in a fleet may be before the others.
local records, answers = {}, {}
for i, request in ipairs(asked.requests) do records[i] = decide(request, i) end
for i, request in ipairs(asked.requests) do answers[i] = answer(request.session, records[i]) end
return answers
