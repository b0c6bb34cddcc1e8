--[[
  An owner wants his session no longer.

  ARGV[2]  { session,
             stopped,     -- the attempt of which its substation has said that it does not run and never will; or 0
             abandoned }  -- true: its only caller was told that it failed, so an unknown one must not start later
  returns  { state, attempt, url }: the session's state afterwards, or '' if it is not known; while it is `cancelling`
           which attempt its substation has to stop, and where that is

  What holds watts keeps them until its substation has stopped it, here or by a heartbeat.  O(log T), T sessions.
]]
local session = asked.session
local record = read(SESSIONS, session)
if not record then
  if not asked.abandoned then return { '', 0, '' } end
  record = { abandoned = true, substation = '', epoch = 0, attempt = 0, watts = 0, energy_wh = 0, done = 0,
    vehicle = '', accepted = now }
  rest(session, record, 'cancelled')
elseif record.state == 'waiting' then
  rest(session, record, 'cancelled')
elseif HOLDS_WATTS[record.state] then
  if record.attempt == asked.stopped then
    let_go(session, record)
    rest(session, record, 'cancelled')
  elseif record.state ~= 'cancelling' then
    enter_held(session, record, 'cancelling', record.epoch)
  end
end
return { record.state, record.attempt, substation_of(record.substation).url }
