-- One wrk script for every closed-loop case; the case says by environment what a request is.
-- There is no response() callback on purpose: it would cost wrk more than the request does.
wrk.method = os.getenv("BENCH_METHOD") or "GET"
local bytes = tonumber(os.getenv("BENCH_BODY_BYTES") or "0")
if bytes > 0 then wrk.body = string.rep("x", bytes) end
if os.getenv("BENCH_CLOSE") then wrk.headers["Connection"] = "close" end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nJSON {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end
