--[[
  Gives the room there is to those who wait, in order, before anybody new gets any: as for a new request, `pick` says
  where. The substation learns of it from the reply to its next heartbeat.

  Who does not fit is overtaken by smaller ones behind, but not once it is overdue: then a substation keeps its room
  for it until it fits there, or elsewhere before that. An eighth of the substations may do so at a time: what they keep
  is used by nobody meanwhile. Who is next in order is kept room for when one of them is free again.

  All of it is defined in a function that is called only if somebody waits: nobody else pays for that (4 of 55 µs).

  O(lines × log W + GRANTS × log W) for W who wait; see line.lua for how many lines there can be.
]]
local function open_line()
  local GRANTS = 100
  local KEEPING = 1 / 8

  local given = {}
  local function grant(session, record, id)
    local waited = (record.waited or 0) + now - record.since
    record.waited = waited > 0 and waited or nil
    reserve(session, record, id)
    call('ZREM', DUE, session)
    given[#given + 1] = { session, record }
  end

  local function somebody_is_overdue()
    local _, latest = unpack(call('ZRANGE', WAITING, 0, 0, 'WITHSCORES'))
    return latest ~= nil and tonumber(latest) <= now
  end

  -- Too late for the next sweep to have noticed: there is nothing left to be in time for.
  local function grant_in_time(session, record, id)
    if now >= given_up_at(record) then
      rest(session, record, 'expired')
    else
      grant(session, record, id)
    end
  end

  -- The first of each line up to this power, the lines of those for whom room is kept apart.
  local function fronts(most)
    local found = {}
    for _, kind in ipairs({ KEPT, UNKEPT }) do
      local front = first_from(kind, 0)
      while front and front.line <= most do
        found[#found + 1] = front
        front = first_from(kind, front.line + 1)
      end
    end
    return found
  end

  local function earliest(of)
    local best
    for i, front in ipairs(of) do
      if not best or front.latest < of[best].latest then best = i end
    end
    return best
  end

  local function enough_keep_room()
    local keeping = call('ZLEXCOUNT', WAITING_BY_POWER, '[' .. KEPT .. '|', '(' .. KEPT .. '}')
    return keeping >= math.ceil(call('ZCARD', LOAD) * KEEPING)
  end

  -- The one of these substations with the most room that could ever carry it, and keeps none yet.
  local function best_to_keep(watts, ids)
    if #ids == 0 then return end
    local limit, room = call('ZMSCORE', LIMIT, unpack(ids)), call('ZMSCORE', HEADROOM, unpack(ids))
    local best, most = nil, -1
    for i, id in ipairs(ids) do
      local free = tonumber(room[i] or -1)
      if tonumber(limit[i]) >= watts and free > most then best, most = id, free end
    end
    return best
  end

  -- Says if a substation keeps room for it from now on.
  local function keep_room(session)
    if enough_keep_room() then return false end
    local record = read(SESSIONS, session)
    local id = best_to_keep(record.watts, call('ZREVRANGE', HEADROOM, 0, asked.window - 1))
      or best_to_keep(record.watts, call('ZREVRANGE', LIMIT, 0, asked.window - 1))
    if id then keep(session, record, id, read(SUBSTATIONS, id)) end
    return id ~= nil
  end

  local function keep_room_for_all(overtaken)
    local kept = false
    for _, front in ipairs(overtaken) do kept = keep_room(front.session) or kept end
    return kept
  end

  -- Rounding up to two digits adds less than a tenth.
  local function is_too_big(line, room)
    return line >= 1.1 * room
  end

  -- Returns whether nobody is left who waits and fits; else there is more to give than one call gives.
  local function serve()
    local _, room = roomiest()
    if not room or is_too_big(smallest_line(), room) then return true end
    -- Bigger ones are not looked at, but for those who may not be overtaken.
    local all = somebody_is_overdue() and not enough_keep_room()
    local first, overtaken = fronts(all and math.huge or 1.1 * room), {}
    local given_away = 0
    while given_away < GRANTS do
      local i = earliest(first)
      if not i then return true end
      local front = first[i]
      local _, most = roomiest()
      local record = not is_too_big(front.line, most) and read(SESSIONS, front.session)
      local id = record and pick(record.watts)
      if not id then
        if front.kind == UNKEPT and front.latest <= now then overtaken[#overtaken + 1] = front end
        table.remove(first, i)
      elseif keep_room_for_all(overtaken) then
        overtaken = {}
      else
        grant_in_time(front.session, record, id)
        given_away = given_away + 1
        local following = first_in(front.kind, front.line)
        if following then first[i] = following else table.remove(first, i) end
      end
    end
    return false
  end

  local function is_overtaken(front, latest)
    return front.kind == UNKEPT and front.latest <= now and front.latest < latest
  end

  -- Once nobody more could be kept room for, nobody can in this call.
  local all_kept = false

  -- Room for those who are overdue, before anybody who comes after them gets any. Says if more is kept now.
  local function keep_room_before(latest)
    if all_kept or not somebody_is_overdue() or enough_keep_room() then return false end
    local overtaken = {}
    for _, front in ipairs(fronts(math.huge)) do
      if is_overtaken(front, latest) then overtaken[#overtaken + 1] = front end
    end
    table.sort(overtaken, function(one, other) return one.latest < other.latest end)
    all_kept = not keep_room_for_all(overtaken)
    return not all_kept
  end

  return { serve = serve, given = given, grant_in_time = grant_in_time, keep_room_before = keep_room_before }
end
