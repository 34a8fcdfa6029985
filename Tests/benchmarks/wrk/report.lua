-- What both scripts share: numbered threads, records read from a file, and a summary as one line of JSON.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

-- Returns the records of a file; the record separator of ASCII stands between them.
function records(path)
  local file = assert(io.open(path, "rb"))
  local list = {}
  for record in file:read("*a"):gmatch("[^\30]+") do
    table.insert(list, record)
  end
  file:close()
  return list
end

local function unexpected()
  local count = 0
  for _, thread in ipairs(threads) do
    count = count + (thread:get("others") or 0)
  end
  return count
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"mean_us":%.2f,"p50_us":%.0f,"p99_us":%.0f,"unexpected":%d,"status":%d,"socket":%d}\n',
    summary.requests, summary.duration / 1e6, latency.mean, latency:percentile(50), latency:percentile(99),
    unexpected(), errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
