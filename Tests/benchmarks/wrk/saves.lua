-- Saves one message a request into a random conversation, never the same one twice, and counts every answer that
-- is not 201.
-- Arguments: the file of request heads, the file of bodies up to the client id, the name of this run (8
-- characters). A head's Content-Length counts on a client id of 20 characters.

require("report")

function init(args)
  heads, bodies, run = records(args[1]), records(args[2]), args[3]
  math.randomseed(number + 1)
  saved, others = 0, 0
end

function request()
  saved = saved + 1
  local head = heads[math.random(#heads)]
  local body = bodies[saved % #bodies + 1]
  return string.format('%s%s%s-%02d-%08x"}', head, body, run, number, saved)
end

function response(status)
  if status ~= 201 then
    others = others + 1
  end
end
