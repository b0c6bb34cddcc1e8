--[[
  The queue: `waiting` has each queued session with its latest start time, the order in which room is given.

  `waiting_by_power` has the same sessions again, so that the first that fits is found without reading the others:
  a line for each power, in each of them the order of `waiting`. Powers are rounded up to two digits, so there are
  271 lines at most. A member is line|latest start|session.
]]
local function at_full_power_ms(energy_wh, watts)
  return math.ceil(energy_wh * 3600000 / watts / asked.time_scale)
end

-- The latest time to begin that leaves as long as all its energy takes: but not before it was asked for, as a time that
-- cannot be met is no way past those who wait already. Those who named no time are in order of arrival.
local function first_latest_start(record)
  local by = record.ready_by and record.ready_by - at_full_power_ms(record.energy_wh, record.watts)
  local at = by and math.max(record.accepted, by) or record.accepted + asked.patience
  if record.priority == 'emergency' then at = at - asked.priority_shift end
  if record.priority == 'flexible' then at = at + asked.priority_shift end
  return math.max(0, at)
end

-- It moves later while the session charges at full power, by the time that it charges: its slack stays the same.
-- `record.latest` is what it was when the present attempt began.
local function latest_start(session, record)
  local energy_wh = call('HGET', DELIVERED, session)
  return record.latest + at_full_power_ms(tonumber(energy_wh or 0), record.watts)
end

local function line_of(watts)
  local step = 1
  while watts > 100 * step do step = step * 10 end
  return math.ceil(watts / step) * step
end

-- Rounding up to two digits adds less than a tenth.
local function is_too_big(line, room)
  return line >= 1.1 * room
end

local function in_line(watts, latest, session)
  return string.format('%07d|%015d|%s', line_of(watts), latest, session)
end

local function in_order(from, to, limit)
  local found = call('ZRANGEBYLEX', WAITING_BY_POWER, from, to, 'LIMIT', 0, limit)
  for i, member in ipairs(found) do
    local line, latest, session = string.match(member, '^(%d+)|(%d+)|(.*)$')
    found[i] = { line = tonumber(line), latest = tonumber(latest), session = session }
  end
  return found
end

-- The first of a line, and the first of the shortest line of this power or more. '}' is the character after '|'.
local function first_in(line, limit)
  return in_order(string.format('[%07d|', line), string.format('(%07d}', line), limit)
end

local function first_from(line)
  return in_order(string.format('[%07d|', line), '+', 1)[1]
end

-- The first of each line that so much room could be enough for.
local function fronts(room)
  local found = {}
  local front = first_from(0)
  while front and not is_too_big(front.line, room) do
    found[#found + 1] = front
    front = first_from(front.line + 1)
  end
  return found
end

-- The place in the queue, from 1, and in how many ms it should begin; 0 if it is not queued. For each one before it a
-- session must end, and as many for itself as its power needs. Until the rate of ends is known it is assumed that those
-- who charge are like this one: of n that take D ms each and began at random, one ends every D / (n + 1).
local function place_in_line(session, record)
  local rank = call('ZRANK', WAITING, session)
  if not rank then return 0 end
  local ms, watts = unpack(call('HMGET', PACE, 'ms', 'watts'))
  if ms then return rank + 1, math.ceil((rank + math.max(1, record.watts / watts)) * ms) end
  local charging = call('HGET', STATES, 'charging') or 0
  return rank + 1, math.ceil((rank + 1) * at_full_power_ms(record.energy_wh, record.watts) / (charging + 1))
end

local function join_line(session, record)
  local latest = latest_start(session, record)
  call('ZADD', WAITING, latest, session)
  call('ZADD', WAITING_BY_POWER, 0, in_line(record.watts, latest, session))
end

local function leave_line(session, record)
  local latest = call('ZSCORE', WAITING, session)
  call('ZREM', WAITING, session)
  call('ZREM', WAITING_BY_POWER, in_line(record.watts, latest, session))
end
