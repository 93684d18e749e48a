-- The paced client: requests are due at an even rate whether or not the server keeps up, and the time of each counts from
-- when it was due. LuaJIT and epoll rather than Node, so that what is measured is nginx: nothing is allocated per request,
-- the collector stands still, and timerfd wakes it within microseconds instead of at the next millisecond.
local ffi, bit = require("ffi"), require("bit")

local DECLARATIONS = [[
typedef struct { uint32_t events; uint32_t slot; uint32_t generation; } PACKED event_t;
typedef struct { uint16_t family; uint16_t port; uint32_t address; uint8_t zero[8]; } address_t;
typedef struct { long sec; long nsec; } instant_t;
typedef struct { instant_t every; instant_t at; } timer_t_;
int socket(int, int, int);
int connect(int, const address_t *, uint32_t);
int getsockopt(int, int, int, int *, uint32_t *);
int setsockopt(int, int, int, const int *, uint32_t);
long send(int, const char *, size_t, int);
long recv(int, char *, size_t, int);
long read(int, void *, size_t);
int close(int);
int epoll_create1(int);
int epoll_ctl(int, int, int, event_t *);
int epoll_wait(int, event_t *, int, int);
int timerfd_create(int, int);
int timerfd_settime(int, int, const timer_t_ *, void *);
int clock_gettime(int, instant_t *);
uint16_t htons(uint16_t);
uint32_t inet_addr(const char *);
char *memmem(const char *, size_t, const char *, size_t);
]]
-- The kernel's struct is packed on x86-64 only.
local declared = DECLARATIONS:gsub("PACKED", ffi.arch == "x64" and "__attribute__((packed))" or "")
ffi.cdef(declared)
local C = ffi.C

local EPOLLIN, EPOLLOUT, EPOLLRDHUP = 0x001, 0x004, 0x2000
local ADD, MOD = 1, 3
local MONOTONIC, ABSOLUTE, NO_SIGNAL = 1, 1, 0x4000
local STREAM_NONBLOCK, SOL_SOCKET, SO_ERROR, TCP, NODELAY = 1 + 0x800, 1, 4, 6, 1
local EAGAIN = 11
local NAMES = { [32] = "EPIPE", [99] = "EADDRNOTAVAIL", [104] = "ECONNRESET", [110] = "ETIMEDOUT", [111] = "ECONNREFUSED" }
local FREE, RETRY, OPENING, IDLE, BUSY_OPENING, BUSY = 0, 1, 2, 3, 4, 5
local KEEPALIVE, SHORT = 0, 1
local ROOM, SHORT_SLOTS, RETRY_S, TIMER = 4096, 4096, 0.01, 0xffffffff

local options = {}
for _, word in ipairs(arg) do
  local name, value = word:match("^(%w+)=(.*)$")
  options[name] = tonumber(value) or value
end
local keepalives = options.keepaliveRate > 0 and options.connections or 0
local slots = keepalives + SHORT_SLOTS
local address = ffi.new("address_t", { family = 2, port = C.htons(options.port), address = C.inet_addr(options.host) })
local REQUEST = {
  [KEEPALIVE] = "GET " .. options.path .. " HTTP/1.1\r\nHost: bench\r\n\r\n",
  [SHORT] = "GET " .. options.path .. " HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
}

local fds = ffi.new("int[?]", slots)
local states = ffi.new("uint8_t[?]", slots)
local kinds = ffi.new("uint8_t[?]", slots)
local generations = ffi.new("uint32_t[?]", slots)
local lengths = ffi.new("int[?]", slots)
local dues = ffi.new("double[?]", slots)
local buffers = ffi.new("char[?]", slots * ROOM)
local idle, idleHead, idleCount = ffi.new("int[?]", slots), 0, 0
local free, freeCount = ffi.new("int[?]", slots), 0
for slot = slots - 1, keepalives, -1 do
  free[freeCount] = slot
  freeCount = freeCount + 1
end

local function stream(rate)
  local total = math.floor(rate * options.seconds + 0.5)
  return {
    rate = rate, total = total, taken = 0, ok = 0, errors = {}, dropped = 0, opened = 0,
    latencies = ffi.new("double[?]", total + 1), measured = 0,
  }
end
local streams = { [KEEPALIVE] = stream(options.keepaliveRate), [SHORT] = stream(options.shortRate) }
local lateness, late = ffi.new("double[?]", streams[0].total + streams[1].total + 1), 0
local waiting, waitHead, waitTail = ffi.new("double[?]", streams[KEEPALIVE].total + 1), 0, 0
local busy = 0

local instant = ffi.new("instant_t")
local function clock()
  C.clock_gettime(MONOTONIC, instant)
  return tonumber(instant.sec) + tonumber(instant.nsec) * 1e-9
end

local epoll = C.epoll_create1(0)
local watched = ffi.new("event_t")
local function watch(operation, fd, events, slot, generation)
  watched.events, watched.slot, watched.generation = events, slot, generation
  C.epoll_ctl(epoll, operation, fd, watched)
end

local function fail(kind, what)
  streams[kind].errors[what] = (streams[kind].errors[what] or 0) + 1
end

local function drop(slot)
  C.close(fds[slot])
  generations[slot] = generations[slot] + 1
  states[slot] = FREE
end

local one = ffi.new("int[1]", 1)
local function release(slot)
  drop(slot)
  free[freeCount] = slot
  freeCount = freeCount + 1
end

local function open(slot, kind, state)
  local fd = C.socket(2, STREAM_NONBLOCK, 0)
  if fd < 0 then error("no more sockets: errno " .. ffi.errno()) end
  fds[slot], kinds[slot], states[slot], lengths[slot] = fd, kind, state, 0
  streams[kind].opened = streams[kind].opened + 1
  C.setsockopt(fd, TCP, NODELAY, one, 4)
  C.connect(fd, address, 16)
  -- Connected or refused, epoll says so at the first wait.
  watch(ADD, fd, bit.bor(EPOLLIN, EPOLLOUT, EPOLLRDHUP), slot, generations[slot])
end

local function rest(slot)
  states[slot] = IDLE
  idle[(idleHead + idleCount) % slots] = slot
  idleCount = idleCount + 1
end

local function request(slot)
  states[slot] = BUSY
  lengths[slot] = 0
  local text = REQUEST[kinds[slot]]
  C.send(fds[slot], text, #text, NO_SIGNAL)
end

-- A connection that ended is replaced; its place in the ring of idle ones is skipped when its turn comes.
local function replace(slot, now)
  if states[slot] ~= OPENING then streams[KEEPALIVE].dropped = streams[KEEPALIVE].dropped + 1 end
  drop(slot)
  states[slot], dues[slot] = RETRY, now
end

local function finish(slot, now, why)
  local kind = kinds[slot]
  local to = streams[kind]
  to.latencies[to.measured] = now - dues[slot]
  to.measured = to.measured + 1
  busy = busy - 1
  if why == nil then to.ok = to.ok + 1 else fail(kind, why) end
end

local function ended(slot, now, why)
  local state = states[slot]
  if state == BUSY or state == BUSY_OPENING then finish(slot, now, why) end
  if kinds[slot] == SHORT then return release(slot) end
  replace(slot, now)
  if state == OPENING then dues[slot] = now + RETRY_S end
end

-- The status and whether the connection stays, once the whole answer is there; nil until then.
local function answer(slot)
  local buffer, length = buffers + slot * ROOM, lengths[slot]
  local head = C.memmem(buffer, length, "\r\n\r\n", 4)
  if head == nil then return nil end
  local headLength = head - buffer + 4
  local body, field = 0, C.memmem(buffer, headLength, "\r\nContent-Length: ", 18)
  if field ~= nil then
    local at = field + 18
    while at[0] >= 48 and at[0] <= 57 do
      body = body * 10 + at[0] - 48
      at = at + 1
    end
  end
  if length < headLength + body then return nil end
  local status = (buffer[9] - 48) * 100 + (buffer[10] - 48) * 10 + buffer[11] - 48
  return status, C.memmem(buffer, headLength, "\r\nConnection: close", 19) == nil
end

local function received(slot, now)
  local got = tonumber(C.recv(fds[slot], buffers + slot * ROOM + lengths[slot], ROOM - lengths[slot], 0))
  if got < 0 then
    local code = ffi.errno()
    return code ~= EAGAIN and ended(slot, now, NAMES[code] or ("errno " .. code)) or nil
  end
  if got == 0 then return ended(slot, now, "closed") end
  lengths[slot] = lengths[slot] + got
  if states[slot] ~= BUSY then return ended(slot, now, "unasked") end
  local status, stays = answer(slot)
  if status == nil then return end
  finish(slot, now, status ~= 200 and ("status " .. status) or nil)
  if kinds[slot] == SHORT then return release(slot) end
  if stays then rest(slot) else replace(slot, now) end
end

local code, size = ffi.new("int[1]"), ffi.new("uint32_t[1]", 4)
local function happened(slot, now)
  local state = states[slot]
  if state == OPENING or state == BUSY_OPENING then
    C.getsockopt(fds[slot], SOL_SOCKET, SO_ERROR, code, size)
    if code[0] ~= 0 then return ended(slot, now, NAMES[code[0]] or ("errno " .. code[0])) end
    watch(MOD, fds[slot], bit.bor(EPOLLIN, EPOLLRDHUP), slot, generations[slot])
    if state == OPENING then return rest(slot) else return request(slot) end
  end
  received(slot, now)
end

local function pump()
  while waitHead < waitTail and idleCount > 0 do
    local slot = idle[idleHead]
    idleHead = (idleHead + 1) % slots
    idleCount = idleCount - 1
    if states[slot] == IDLE then
      dues[slot] = waiting[waitHead]
      waitHead = waitHead + 1
      busy = busy + 1
      request(slot)
    end
  end
end

local function take(kind, due, now)
  lateness[late] = now - due
  late = late + 1
  if kind == KEEPALIVE then
    waiting[waitTail] = due
    waitTail = waitTail + 1
    return pump()
  end
  if freeCount == 0 then return fail(SHORT, "backlog") end
  freeCount = freeCount - 1
  local slot = free[freeCount]
  dues[slot] = due
  busy = busy + 1
  open(slot, SHORT, BUSY_OPENING)
end

collectgarbage("stop")
for slot = 0, keepalives - 1 do open(slot, KEEPALIVE, OPENING) end
local timer = C.timerfd_create(MONOTONIC, STREAM_NONBLOCK - 1)
watch(ADD, timer, EPOLLIN, TIMER, 0)
local alarm, expirations = ffi.new("timer_t_"), ffi.new("uint64_t[1]")
local found = ffi.new("event_t[?]", 256)
local begun = clock() + 0.05
local last = begun + options.seconds
repeat
  local now = clock()
  local due = math.huge
  for kind = KEEPALIVE, SHORT do
    local from = streams[kind]
    while from.taken < from.total do
      local at = begun + from.taken / from.rate
      if at > now then
        due = math.min(due, at)
        break
      end
      from.taken = from.taken + 1
      take(kind, at, now)
    end
  end
  for slot = 0, keepalives - 1 do
    if states[slot] == RETRY and dues[slot] <= now then open(slot, KEEPALIVE, OPENING) end
  end
  if due < math.huge then
    alarm.at.sec = math.floor(due)
    alarm.at.nsec = math.floor((due - math.floor(due)) * 1e9)
    C.timerfd_settime(timer, ABSOLUTE, alarm, nil)
  end
  local count = C.epoll_wait(epoll, found, 256, 10)
  now = clock()
  for at = 0, count - 1 do
    local slot = found[at].slot
    if slot == TIMER then
      C.read(timer, expirations, 8)
    elseif generations[slot] == found[at].generation then
      happened(slot, now)
    end
  end
  pump()
until (due == math.huge and now > last and busy == 0 and waitHead == waitTail) or now > last + options.patience

local function numbers(values, count)
  local text = {}
  for at = 0, count - 1 do text[at + 1] = string.format("%.0f", math.max(1, values[at] * 1e6)) end
  return "[" .. table.concat(text, ",") .. "]"
end
for slot = 0, slots - 1 do
  if states[slot] == BUSY or states[slot] == BUSY_OPENING then fail(kinds[slot], "unanswered") end
end
for _ = waitHead, waitTail - 1 do fail(KEEPALIVE, "unanswered") end

local function section(from)
  local errors = {}
  for name, count in pairs(from.errors) do errors[#errors + 1] = string.format("%q:%d", name, count) end
  return string.format(
    '{"sent":%d,"ok":%d,"errors":{%s},"dropped":%d,"opened":%d,"microseconds":%s}',
    from.taken, from.ok, table.concat(errors, ","), from.dropped, from.opened, numbers(from.latencies, from.measured)
  )
end
io.write(string.format('{"keepalive":%s,"short":%s,"late":%s}', section(streams[0]), section(streams[1]), numbers(lateness, late)))
