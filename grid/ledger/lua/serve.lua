--[[
  Gives the room there is to the queue, in order, before any new request gets some: as for a new request, `pick` says
  where. The substation learns of it from the reply to its next heartbeat. A session that does not fit is overtaken by
  smaller ones behind it; preempt.lua sees to it that this ends.

  O(lines × log W + GRANTS × log W) for W who wait; see line.lua for how many lines there can be.
]]
local GRANTS = 100

local given = {}
local function grant(session, record, id)
  -- Too late for the next sweep to have noticed: there is nothing left to be in time for.
  if now >= given_up_at(record) then return rest(session, record, 'expired') end
  record.waited = (record.waited or 0) + now - record.since
  reserve(session, record, id)
  call('ZREM', DUE, session)
  given[#given + 1] = { session, record }
end

local function earliest(of)
  local best
  for i, front in ipairs(of) do
    if not best or front.latest < of[best].latest then best = i end
  end
  return best
end

-- Returns whether no queued session is left that fits; else there is more to give than one call gives.
local function serve()
  local _, room = roomiest()
  local first = fronts(room or 0)
  local given_away = 0
  while given_away < GRANTS do
    local i = earliest(first)
    if not i then return true end
    local front = first[i]
    local _, most = roomiest()
    local record = not is_too_big(front.line, most) and read(SESSIONS, front.session)
    local id = record and pick(record.watts)
    if id then
      grant(front.session, record, id)
      given_away = given_away + 1
    end
    local following = id and first_in(front.line, 1)[1]
    if following then first[i] = following else table.remove(first, i) end
  end
  return false
end
