--[[
  Gives commitments back, each exactly once.

  ARGV[2]  { releases: [{ session, attempt, outcome }] }
             refused     the substation said no, or was never reached: it will not run this attempt
             unknown     the substation did not answer: it may run this attempt; the session moves on without it
                         (both only if no heartbeat has confirmed the attempt in between)
             cancelled   its owner cancelled it and the substation has stopped it
             cancelling  its owner cancelled it and the substation could not be told yet
  returns  for each release the session's state afterwards, or '' if the session is not known

  A release of another attempt than the present one changes nothing.  O(log T) each, T sessions in the ledger.
]]
local outcomes = {}

-- A heartbeat may have confirmed the session in between; then it runs, and nothing is given back.
local function unconfirmed(record)
  return record.state == 'reserved' or record.state == 'unsettled'
end

-- It waits because its substation is gone; but its only caller is told now that it failed.
local function is_unpromised(record)
  return record.state == 'waiting' and not record.promised
end

function outcomes.refused(session, record)
  if unconfirmed(record) then
    give_back(session, record, settled(record))
  elseif is_unpromised(record) then
    rest(session, record, settled(record))
  end
end

function outcomes.unknown(session, record)
  if unconfirmed(record) then supersede(session, record) end
  if unconfirmed(record) or is_unpromised(record) then rest(session, record, settled(record)) end
end

function outcomes.cancelled(session, record)
  if HOLDS_WATTS[record.state] then
    give_back(session, record, 'cancelled')
  elseif UNSERVED[record.state] then
    rest(session, record, 'cancelled')
  end
end

function outcomes.cancelling(session, record)
  if HOLDS_WATTS[record.state] then
    record.cancelled = true
    enter_held(session, record, 'unsettled', record.epoch)
    call('ZREM', DUE, session)
  elseif UNSERVED[record.state] then
    rest(session, record, 'cancelled')
  end
end

local states = {}
for i, release in ipairs(asked.releases) do
  local record = read(SESSIONS, release.session)
  if record and record.attempt == release.attempt then
    outcomes[release.outcome](release.session, record)
  end
  states[i] = record and record.state or ''
end
write_counts()
return states
