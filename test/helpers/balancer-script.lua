-- Repeats the calls of a BalancerScript (see lua.ts): lines on stdin, one chosen place per pick on stdout.
local create = dofile(arg[1]).createBalancer
local balancer, places
local tickets = {}
local picks = 0
local answers = {}

local function words(line)
  local list = {}
  for word in line:gmatch("%S+") do list[#list + 1] = word end
  return list
end

for line in io.lines() do
  local w = words(line)
  if w[1] == "B" then
    local servers = {}
    for i = 1, tonumber(w[6]) do
      local s = words(io.read("*l"))
      servers[i] = {
        address = s[1], weight = tonumber(s[2]), maxFails = tonumber(s[3]), failTimeoutMs = tonumber(s[4]),
        down = s[5] == "1", backup = s[6] == "1", drain = s[7] == "1",
        maxConns = tonumber(s[8]), slowStartMs = tonumber(s[9]),
      }
    end
    local options = { method = w[2], seed = tonumber(w[3]), loadFactor = tonumber(w[4]) }
    balancer = create(options, servers, w[5] == "1" and balancer or nil)
    places = {}
    for i, peer in ipairs(balancer.peers) do places[peer] = i - 1 end
  elseif w[1] == "P" then
    local tried = {}
    for ticket in w[4]:gmatch("%d+") do tried[#tried + 1] = tickets[tonumber(ticket)] end
    local key = w[3]:sub(2):gsub("..", function(hex) return string.char(tonumber(hex, 16)) end)
    local peer = balancer:pick({ now = tonumber(w[2]), key = key, tried = tried })
    picks = picks + 1
    if peer then tickets[picks] = peer end
    answers[picks] = peer and places[peer] or -1
  elseif w[1] == "D" then
    balancer:done(tickets[tonumber(w[2])], w[3] == "1", tonumber(w[4]), tonumber(w[5]))
  end
end
io.write(table.concat(answers, "\n"), "\n")
