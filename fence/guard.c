/*
 * The lease guard: ends a PostgreSQL server whose lease has run out.
 *
 * The agent beside the server writes into a small file until when the server may accept writes. This program sleeps
 * until that moment, reads the file again, and kills the server if nobody has moved the moment. It needs nobody: not
 * the agent (which may be dead, stopped or too busy), not the store, not the network, not the disk.
 *
 * It is freestanding on purpose, without a C library: the whole program is a few pages of memory, starts in a
 * millisecond, and runs on every Linux of its architecture.
 *
 *   guard FILE
 *
 * Exit codes: 0 the file says that there is nothing to guard any more (or a newer guard took over); 1 the file cannot
 * be used; 2 wrong usage; 3 the server was killed.
 */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

/* The record in the file, 56 bytes, native byte order; src/fence/lease-file.ts writes it with one write. */
struct record {
    u32 magic;
    u32 generation;    /* each new guard gets a higher one; an older guard retires when it sees that */
    u64 deadline_ms;   /* CLOCK_BOOTTIME, which goes on while the machine sleeps; 0: nothing to guard */
    u32 pid;           /* of the postmaster */
    u32 reserved;
    u64 start_ticks;   /* field 22 of /proc/PID/stat: the process, not the number */
    u64 sequence;
    u64 written_ms;    /* for people */
    u64 check;         /* exclusive or of the words before */
};

#define MAGIC 0x4752544du /* "MTRG" */

/* Behind the record, 32 bytes: what this program did, for the next agent to tell. src/fence/strike.ts reads it. */
struct strike {
    u32 magic;
    u32 generation;
    u64 at_ms;         /* CLOCK_REALTIME */
    u32 pid;           /* of the postmaster */
    u32 reserved;
    u64 check;         /* exclusive or of the words before */
};

#define STRIKE_MAGIC 0x5352544du /* "MTRS" */

#if defined(__x86_64__)
enum { SYS_read = 0, SYS_write = 1, SYS_close = 3, SYS_pread = 17, SYS_pwrite = 18, SYS_nanosleep = 35, SYS_getpid = 39, SYS_exit = 231,
       SYS_kill = 62, SYS_openat = 257, SYS_getdents64 = 217, SYS_clock_gettime = 228, SYS_timerfd_create = 283,
       SYS_timerfd_settime = 286, SYS_mlockall = 151, SYS_rt_sigaction = 13, SYS_prctl = 157, SYS_sched_setscheduler = 144 };

static i64 call(i64 n, i64 a, i64 b, i64 c, i64 d)
{
    i64 r;
    register i64 r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return r;
}

__asm__(".globl _start\n_start:\n xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call begin\n");
#elif defined(__aarch64__)
enum { SYS_read = 63, SYS_write = 64, SYS_close = 57, SYS_pread = 67, SYS_pwrite = 68, SYS_nanosleep = 101, SYS_getpid = 172, SYS_exit = 94,
       SYS_kill = 129, SYS_openat = 56, SYS_getdents64 = 61, SYS_clock_gettime = 113, SYS_timerfd_create = 85,
       SYS_timerfd_settime = 86, SYS_mlockall = 230, SYS_rt_sigaction = 134, SYS_prctl = 167, SYS_sched_setscheduler = 119 };

static i64 call(i64 n, i64 a, i64 b, i64 c, i64 d)
{
    register i64 x8 __asm__("x8") = n;
    register i64 x0 __asm__("x0") = a;
    register i64 x1 __asm__("x1") = b;
    register i64 x2 __asm__("x2") = c;
    register i64 x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

__asm__(".globl _start\n_start:\n mov x29, xzr\n mov x0, sp\n bl begin\n");
#else
#error "no system calls known for this architecture"
#endif

#define AT_FDCWD (-100)
#define O_RDONLY 0
#define O_RDWR 2
#define O_CLOEXEC 02000000
#if defined(__aarch64__)
#define O_DIRECTORY 040000
#else
#define O_DIRECTORY 0200000
#endif
#define CLOCK_REALTIME 0
#define CLOCK_BOOTTIME 7
#define TFD_TIMER_ABSTIME 1
#define SIGKILL 9
#define SIGSTOP 19
#define EINTR 4
#define ESRCH 3

struct timespec { i64 sec; i64 nsec; };
struct itimerspec { struct timespec interval; struct timespec value; };

static i64 length(const char *s)
{
    i64 n = 0;
    while (s[n]) n++;
    return n;
}

static void say(const char *s) { call(SYS_write, 2, (i64)s, length(s), 0); }

static void end(int code)
{
    call(SYS_exit, code, 0, 0, 0);
    for (;;) ;
}

/* The compiler may ask for these two. */
void *memset(void *to, int byte, u64 n)
{
    u8 *p = to;
    while (n--) *p++ = (u8)byte;
    return to;
}

void *memcpy(void *to, const void *from, u64 n)
{
    u8 *p = to;
    const u8 *q = from;
    while (n--) *p++ = *q++;
    return to;
}

static u64 clock_ms(int clock)
{
    struct timespec t;
    call(SYS_clock_gettime, clock, (i64)&t, 0, 0);
    return (u64)t.sec * 1000 + (u64)t.nsec / 1000000;
}

/* Reads the record; a torn or damaged one is read again for a moment, then the caller goes on with what it knew. */
static int read_record(int fd, struct record *into)
{
    int try;
    for (try = 0; try < 5; try++) {
        struct record r;
        struct timespec pause = { 0, 1000000 };
        u64 *words = (u64 *)&r, check = 0;
        unsigned i;
        if (call(SYS_pread, fd, (i64)&r, sizeof r, 0) == sizeof r) {
            for (i = 0; i < sizeof r / 8 - 1; i++) check ^= words[i];
            if (r.magic == MAGIC && check == r.check) {
                *into = r;
                return 1;
            }
        }
        call(SYS_nanosleep, (i64)&pause, 0, 0, 0);
    }
    return 0;
}

static void append_number(char *to, u64 n)
{
    char digits[24];
    int k = 0;
    i64 at = length(to);
    do { digits[k++] = (char)('0' + n % 10); n /= 10; } while (n);
    while (k) to[at++] = digits[--k];
    to[at] = 0;
}

static void append(char *to, const char *s)
{
    i64 at = length(to);
    while (*s) to[at++] = *s++;
    to[at] = 0;
}

/* Parent and start time of a process, from /proc/PID/stat. 0: there is none. */
static int process_facts(u64 pid, u64 *parent, u64 *start_ticks)
{
    char path[64] = "/proc/", text[1024];
    i64 fd, n, i, field;
    append_number(path, pid);
    append(path, "/stat");
    fd = call(SYS_openat, AT_FDCWD, (i64)path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    n = call(SYS_read, fd, (i64)text, sizeof text - 1, 0);
    call(SYS_close, fd, 0, 0, 0);
    if (n <= 0) return 0;
    text[n] = 0;
    /* The name in parentheses may hold anything, so count from the last one: what follows is field 3. */
    for (i = n - 1; i > 0 && text[i] != ')'; i--) ;
    if (i == 0) return 0;
    i += 2;
    *parent = *start_ticks = 0;
    for (field = 3; i < n && field <= 22; field++) {
        u64 value = 0;
        while (i < n && text[i] != ' ' && text[i] != '\n') {
            if (text[i] >= '0' && text[i] <= '9') value = value * 10 + (u64)(text[i] - '0');
            i++;
        }
        i++;
        if (field == 4) *parent = value;
        if (field == 22) *start_ticks = value;
    }
    return field > 22;
}

struct dirent64 { u64 ino; i64 off; unsigned short reclen; u8 type; char name[]; };

/* Kills every child of the postmaster. @returns how many there were */
static int kill_children(u64 postmaster)
{
    static char buffer[8192];
    int killed = 0;
    i64 dir = call(SYS_openat, AT_FDCWD, (i64)"/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), n;
    if (dir < 0) return 0;
    while ((n = call(SYS_getdents64, dir, (i64)buffer, sizeof buffer, 0)) > 0) {
        i64 at = 0;
        while (at < n) {
            struct dirent64 *entry = (struct dirent64 *)(buffer + at);
            u64 pid = 0, parent, ticks;
            const char *c = entry->name;
            for (; *c >= '0' && *c <= '9'; c++) pid = pid * 10 + (u64)(*c - '0');
            if (*c == 0 && pid > 1 && process_facts(pid, &parent, &ticks) && parent == postmaster) {
                if (call(SYS_kill, (i64)pid, SIGKILL, 0, 0) == 0) killed++;
            }
            at += entry->reclen;
        }
    }
    call(SYS_close, dir, 0, 0, 0);
    return killed;
}

static int is_server(const struct record *r)
{
    u64 parent, ticks;
    return r->pid > 1 && process_facts(r->pid, &parent, &ticks) && ticks == r->start_ticks;
}

/*
 * Stopped first, so that it starts no more backends; then every backend, busy or not; the postmaster last, so that
 * nothing is orphaned before it is found.
 */
static void kill_server(const struct record *r)
{
    int round;
    if (!is_server(r)) return;
    call(SYS_kill, r->pid, SIGSTOP, 0, 0);
    for (round = 0; round < 3 && kill_children(r->pid) > 0; round++) ;
    if (is_server(r)) call(SYS_kill, r->pid, SIGKILL, 0, 0);
}

/* After the deed, and without a care whether it succeeds. */
static void leave_mark(int fd, const struct record *r)
{
    struct strike mark = { STRIKE_MAGIC, r->generation, clock_ms(CLOCK_REALTIME), r->pid, 0, 0 };
    u64 *words = (u64 *)&mark;
    unsigned i;
    for (i = 0; i < sizeof mark / 8 - 1; i++) mark.check ^= words[i];
    call(SYS_pwrite, fd, (i64)&mark, sizeof mark, sizeof(struct record));
}

static void sleep_until(int timer, u64 ms)
{
    struct itimerspec when = { { 0, 0 }, { (i64)(ms / 1000), (i64)(ms % 1000) * 1000000 } };
    u64 expirations;
    if (when.value.sec == 0 && when.value.nsec == 0) when.value.nsec = 1;
    call(SYS_timerfd_settime, timer, TFD_TIMER_ABSTIME, (i64)&when, 0);
    while (call(SYS_read, timer, (i64)&expirations, sizeof expirations, 0) == -EINTR) ;
}

/* Signals for the agent's process group, a closed terminal or a user's Ctrl-C are not for the guard. */
static void ignore_signals(void)
{
    struct { u64 handler, flags, restorer, mask; } ignore = { 1, 0, 0, 0 };
    static const int signals[] = { 1, 2, 3, 13 };
    unsigned i;
    for (i = 0; i < sizeof signals / sizeof signals[0]; i++)
        call(SYS_rt_sigaction, signals[i], (i64)&ignore, 0, 8);
}

static void guard(const char *path)
{
    struct record now;
    u32 generation;
    i64 timer, fd = call(SYS_openat, AT_FDCWD, (i64)path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) fd = call(SYS_openat, AT_FDCWD, (i64)path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0 || !read_record((int)fd, &now)) {
        say("guard: the lease file cannot be read\n");
        end(1);
    }
    timer = call(SYS_timerfd_create, CLOCK_BOOTTIME, 02000000, 0, 0);
    if (timer < 0) {
        say("guard: no timer\n");
        end(1);
    }
    generation = now.generation;
    call(SYS_mlockall, 3, 0, 0, 0); /* as far as allowed: a guard that has to be read from disk may come too late */
    call(SYS_write, 1, (i64)"ready\n", 6, 0);
    for (;;) {
        struct record next;
        if (now.deadline_ms == 0 || now.generation != generation) end(0);
        sleep_until((int)timer, now.deadline_ms);
        /* A file that cannot be read any more moves nothing: the moment that is known holds. */
        if (read_record((int)fd, &next)) now = next;
        if (now.deadline_ms == 0 || now.generation != generation) end(0);
        if (now.deadline_ms > clock_ms(CLOCK_BOOTTIME)) continue;
        if (!is_server(&now)) end(0);
        kill_server(&now);
        leave_mark((int)fd, &now);
        say("guard: the lease has run out, PostgreSQL was killed\n");
        end(3);
    }
}

__attribute__((used)) void begin(i64 *stack)
{
    i64 argc = stack[0];
    char **argv = (char **)(stack + 1);
    if (argc != 2) {
        say("usage: guard FILE\n");
        end(2);
    }
    ignore_signals();
    guard(argv[1]);
}
