-- Sends whole requests from a file, each chosen at random.
-- Arguments: the file of requests.

require("report")

function init(args)
  requests = records(args[1])
  math.randomseed(number + 1)
end

function request()
  return requests[math.random(#requests)]
end
