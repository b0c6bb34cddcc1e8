--[[
  Who waits, and in which order: `waiting` has each session with the latest time at which it should begin.

  `waiting_by_power` has the same sessions again, so that the first who fits is found without reading the others:
  a line for each power, in each of them the order of `waiting`. Powers are rounded up to two digits, so there are
  271 lines at most, whatever is asked for. A member is kind|line|latest start|session:
    w  waits
    k  waits, and a substation keeps room for it: it was overdue and too big for the room that came free
]]
local KEPT, UNKEPT = 'k', 'w'

local function takes_ms(record)
  return math.ceil(record.energy_wh * 3600000 / record.watts / asked.time_scale)
end

-- The latest time to begin that leaves as long as all its energy takes: but not before it was asked for, as a time that
-- cannot be met is no way past those who wait already. Those who named no time are in order of arrival.
local function latest_start(record)
  local at = record.accepted + asked.patience
  if record.ready_by then at = math.max(record.accepted, record.ready_by - takes_ms(record)) end
  if record.priority == 'emergency' then at = at - asked.priority_shift end
  if record.priority == 'flexible' then at = at + asked.priority_shift end
  return math.max(0, at)
end

local function line_of(watts)
  local step = 1
  while watts > 100 * step do step = step * 10 end
  return math.ceil(watts / step) * step
end

local function in_line(kind, line, latest, session)
  return string.format('%s|%07d|%015d|%s', kind, line, latest, session)
end

local function line_member(session, record)
  return in_line(record.kept and KEPT or UNKEPT, line_of(record.watts), record.latest, session)
end

local function first_between(from, to)
  local member = call('ZRANGEBYLEX', WAITING_BY_POWER, from, to, 'LIMIT', 0, 1)[1]
  if not member then return end
  local kind, line, latest, session = string.match(member, '^(.)|(%d+)|(%d+)|(.*)$')
  return { kind = kind, line = tonumber(line), latest = tonumber(latest), session = session }
end

-- The first of a line, and the first of the shortest line of this power or more. '}' is the character after '|'.
local function first_in(kind, line)
  local prefix = string.format('%s|%07d', kind, line)
  return first_between('[' .. prefix .. '|', '(' .. prefix .. '}')
end

local function first_from(kind, line)
  return first_between(string.format('[%s|%07d|', kind, line), '(' .. kind .. '}')
end

local function smallest_line()
  local kept, unkept = first_from(KEPT, 0), first_from(UNKEPT, 0)
  return math.min(kept and kept.line or math.huge, unkept and unkept.line or math.huge)
end

local function set_kept(session, record, id)
  call('ZREM', WAITING_BY_POWER, line_member(session, record))
  record.kept = id
  call('ZADD', WAITING_BY_POWER, 0, line_member(session, record))
  write(session, record)
end

local function keep(session, record, id, substation)
  set_kept(session, record, id)
  substation.keeps = session
  write_substation(id, substation)
  call('ZINCRBY', HEADROOM, -kept_from_others(tonumber(call('ZSCORE', LIMIT, id))), id)
end

local function unkeep(record)
  local id = record.kept
  local substation = read(SUBSTATIONS, id)
  record.kept = nil
  if not substation then return end
  substation.keeps = nil
  write_substation(id, substation)
  if call('ZSCORE', LOAD, id) then
    call('ZINCRBY', HEADROOM, kept_from_others(tonumber(call('ZSCORE', LIMIT, id))), id)
  end
end

-- The substation goes away, and another may keep room for whom it kept it for.
local function stop_keeping(substation)
  local session = substation.keeps
  local record = session and read(SESSIONS, session)
  substation.keeps = nil
  if record then set_kept(session, record, nil) end
end

-- Whoever has been in line before has its old place.
local function join_line(session, record)
  record.latest = record.latest or latest_start(record)
  call('ZADD', WAITING, record.latest, session)
  call('ZADD', WAITING_BY_POWER, 0, line_member(session, record))
end

local function leave_line(session, record)
  call('ZREM', WAITING, session)
  call('ZREM', WAITING_BY_POWER, line_member(session, record))
  if record.kept then unkeep(record) end
end
