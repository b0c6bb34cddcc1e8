--[[
  What is known of one session.

  ARGV[2]  { session }
  returns  its record as JSON, with delivered_wh in all its attempts, its position in the queue and its expected_wait in
           ms; or nothing.  O(log W), W queued
]]
local record = read(SESSIONS, asked.session)
if not record then return false end
record.delivered_wh = delivered(asked.session, record)
record.position, record.expected_wait_ms = place_in_line(asked.session, record)
return cjson.encode(record)
