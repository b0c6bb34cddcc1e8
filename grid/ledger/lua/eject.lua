--[[
  A substation does not answer POST /charge: nothing new goes there until its next heartbeat.

  ARGV[2]  { substation, epoch, number }  -- as `reserve` answered: a later heartbeat makes this void
  returns  1 if it is out now, 0 if not: heard again since, or half of the zone is out already
]]
local id = asked.substation
local known = read(SUBSTATIONS, id)
if not known or known.epoch ~= asked.epoch or known.number ~= asked.number then return 0 end
local routable, out = call('ZCARD', LOAD), call('SCARD', EJECTED)
if not call('ZSCORE', LOAD, id) or 2 * (out + 1) > routable + out then return 0 end
call('SADD', EJECTED, id)
unlist(id)
return 1
