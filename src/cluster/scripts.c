/* Scripts, because each decides and acts in one step that no other server can come between: a
 * generator that was stopped for a while, and does not know yet that another has taken over,
 * cannot publish.
 *
 * Numbers go through Lua's doubles, which are exact to 2^53. Redis' own clock says where epochs
 * begin; from then on they only count, so a clock that jumps changes nothing. Other programs may
 * write our keys, by mistake or because a number was copied from somewhere. What no heatcast can
 * have written there (another type, no whole number, an epoch that is not believed, a lease or a
 * claim that does not expire in time) would stop all servers for good, so it is replaced, and the
 * reply says what it was. A lease expires too late also where Redis' clock was set back.
 *
 * A Redis that is out of memory refuses to store (OOM) but publishes, deletes and extends the
 * lease; so what stores is allowed to fail, and says so. */
#include "cluster/scripts.h"

/* A whole number that a double holds exactly, or nil. */
#define NUMBER_FUNCTION                                                                            \
    "local function number(text)\n"                                                                \
    "  local is_number = type(text) == 'string' and #text <= 16 and text:match('^%d+$')\n"         \
    "  local value = is_number and tonumber(text)\n"                                               \
    "  return value and value <= 9007199254740991 and value or nil\n"                              \
    "end\n"

#define KEEP_FUNCTION                                                                              \
    NUMBER_FUNCTION                                                                                \
    "local function keep(key, epoch, seq, json, epoch_max)\n"                                      \
    "  local kept = redis.pcall('HMGET', key, 'epoch', 'seq')\n"                                   \
    "  if kept.err then return 0, 0, kept.err end\n"                                               \
    "  local e, s = number(kept[1]), number(kept[2])\n"                                            \
    "  if not e or not s or e > tonumber(epoch_max) then e, s = 0, 0 end\n"                        \
    "  local mine_e, mine_s = tonumber(epoch), tonumber(seq)\n"                                    \
    "  if mine_e < e or (mine_e == e and mine_s <= s) then return e, s, '' end\n"                  \
    "  local done = redis.pcall('HSET', key, 'epoch', epoch, 'seq', seq, 'json', json)\n"          \
    "  if type(done) == 'table' and done.err then return e, s, done.err end\n"                     \
    "  return mine_e, mine_s, ''\n"                                                                \
    "end\n"

const char script_heartbeat[] = NUMBER_FUNCTION
    "local id, role, ms = ARGV[1], ARGV[2], tonumber(ARGV[3])\n"
    "local seen, held, epoch_max = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])\n"
    "local fault, replaced = '', ''\n"
    "local function try(...)\n"
    "  local done = redis.pcall(...)\n"
    "  if type(done) == 'table' and done.err then fault = done.err return false end\n"
    "  return done\n"
    "end\n"
    "local function replace(key, was)\n"
    "  redis.call('DEL', key)\n"
    "  replaced = replaced .. key .. '=' .. string.sub(was, 1, 40) .. ' '\n"
    "end\n"
    "local function get(key)\n"
    "  local value = redis.pcall('GET', key)\n"
    "  if type(value) ~= 'table' then return value end\n"
    "  if not string.find(value.err, 'WRONGTYPE', 1, true) then error(value.err) end\n"
    "  replace(key, 'another type')\n"
    "  return false\n"
    "end\n"
    "local function time_left(key)\n"
    "  local left = redis.call('PTTL', key)\n"
    "  if left ~= -1 and left <= ms then return left end\n"
    "  redis.call('PEXPIRE', key, ms)\n"
    "  replaced = replaced .. key .. '=expires too late '\n"
    "  return ms\n"
    "end\n"
    "local holder = get(KEYS[1])\n"
    /* A server whose role it is to generate comes before one that merely could. */
    "if role == 'generator' then try('SET', KEYS[3], id, 'PX', ms)\n"
    "elseif role == 'auto' and redis.call('EXISTS', KEYS[3]) == 1 then role = 'none' end\n"
    "if holder == id and role == 'none' then\n"
    "  redis.call('DEL', KEYS[1])\n"
    "  holder = false\n"
    "elseif holder == id then redis.call('PEXPIRE', KEYS[1], ms)\n"
    "elseif not holder and role ~= 'none' and try('SET', KEYS[1], id, 'PX', ms) then\n"
    "  holder, held = id, 0\n"
    "end\n"
    "local stored = get(KEYS[2])\n"
    "local top = number(stored or '0')\n"
    "if not top or top > epoch_max then\n"
    "  replace(KEYS[2], stored)\n"
    "  top = 0\n"
    "end\n"
    "local epoch = math.max(top, seen)\n"
    /* Where no server generates there must be an epoch too, to number what other programs
     * publish. */
    "if epoch == 0 or (holder == id and (held == 0 or held < epoch)) then\n"
    "  local now = redis.call('TIME')\n"
    "  epoch = math.max(epoch + 1, now[1] * 1000 + math.floor(now[2] / 1000))\n"
    "end\n"
    "if epoch > top then try('SET', KEYS[2], string.format('%.0f', epoch)) end\n"
    "time_left(KEYS[3])\n"
    "return {holder or '', string.format('%.0f', epoch), time_left(KEYS[1]), fault, replaced}\n";

const char script_release[] =
    "for i = 1, 2 do\n"
    "  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end\n"
    "end\n"
    "return 0\n";

const char script_publish[] =
    KEEP_FUNCTION "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {-1, '', '0'} end\n"
                  "local epoch, _, fault = keep(KEYS[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])\n"
                  "local receivers = redis.call('PUBLISH', ARGV[2], ARGV[5])\n"
                  "return {receivers, fault, string.format('%.0f', epoch)}\n";

const char script_keep[] =
    KEEP_FUNCTION "local epoch, seq = keep(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])\n"
                  "return {string.format('%.0f', epoch), string.format('%.0f', seq)}\n";
