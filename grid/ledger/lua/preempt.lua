--[[
  Preemption by slack, as in least-laxity scheduling: a queued session takes the place of charging ones that have much
  more time. What a substation would stop so that the most urgent session it can serve fits there; docs/waiting.md.

  A queued session is more urgent than a charging one if its latest start is more than `preemption_slack` earlier. A
  charging session is spared for its first MIN_RUN unless the other is overdue by more than `preemption_slack`, and an
  emergency unless the other is one, too. Slack does not change while a session charges, so nothing has to be kept up.

  O(lines × log W + HEADS × PER_LINE × log T), W queued of T sessions; O(log W) while nothing is to be preempted.
]]
local HEADS, PER_LINE, RUNNING = 16, 8, 1000
local MIN_RUN = 900000 / asked.time_scale  -- a quarter of an hour

-- Another substation stops sessions for it, and has not been heard since.
local function is_promised_elsewhere(record, id)
  local promised = record.promised
  return promised and promised.substation ~= id and now < promised.at + asked.heartbeat_ttl
    and substation_of(promised.substation).heard == promised.at
end

-- Enough that charge, in order of slack, less those that turn out not to be needed; nil if there are not enough.
local function enough_for(record, latest, room, charging)
  local most_urgent = latest - now + asked.preemption_slack
  local is_long_overdue = most_urgent < 0
  local missing, chosen = record.watts - room, {}
  for _, one in ipairs(charging) do
    if missing <= 0 or one.slack <= most_urgent then break end
    local is_spared = one.is_emergency and record.priority ~= 'emergency'
      or now - one.since < MIN_RUN and not is_long_overdue
    if not is_spared then
      chosen[#chosen + 1] = one
      missing = missing - one.watts
    end
  end
  if missing > 0 then return end
  for i = #chosen, 1, -1 do
    if missing + chosen[i].watts <= 0 then missing = missing + table.remove(chosen, i).watts end
  end
  return chosen
end

-- The first of a line that this limit can carry, that can still be served in time, and that no other substation stops sessions for.
local function first_to_serve(line, id, limit)
  for _, front in ipairs(first_in(line, PER_LINE)) do
    local record = read(SESSIONS, front.session)
    local can_start = record.watts <= limit and now < given_up_at(record)
    if can_start and not is_promised_elsewhere(record, id) then return front, record end
  end
end

local function preempted(chosen)
  for i, one in ipairs(chosen) do
    local record = read(SESSIONS, one.session)
    record.preempted = true
    enter_held(one.session, record, 'charging', record.epoch)
    chosen[i] = { one.session, record }
  end
  return chosen
end

-- `stopping` W are about to come free; none of the queue has a latest start before `earliest`. Returns the sessions that
-- are to stop, and their records.
local function preempt(id, limit, stopping, earliest)
  local top = most_slack_at(id, 1)[1]
  local latest_in_question = top and top.slack + now - asked.preemption_slack
  if not top or earliest >= latest_in_question then return {} end
  local room = tonumber(call('ZSCORE', HEADROOM, id)) + stopping
  local charging, heads = most_slack_at(id, RUNNING), fronts(limit)
  table.sort(heads, function(one, other) return one.latest < other.latest end)
  for i = 1, math.min(HEADS, #heads) do
    if heads[i].latest >= latest_in_question then break end
    local front, record = first_to_serve(heads[i].line, id, limit)
    local chosen = front and enough_for(record, front.latest, room, charging)
    if chosen then
      record.promised = { substation = id, at = now }
      write(front.session, record)
      return preempted(chosen)
    end
  end
  return {}
end
