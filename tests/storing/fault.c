/* A library to preload: the n-th operation on a file below a folder fails, as a disk would let it.
 *
 * Counts open (to write), write, fsync, rename (and link), and read. `mode` says what happens:
 *   error   the operation fails once
 *   full    it and all later ones that write fail, as on a full disk
 *   short   half of the bytes are written or read, once; no error, callers must go on
 *   torn    half of the bytes are written, and then the disk is full
 * Only operations on paths that hold `part` are counted. What fired is written to the file `marker`, and on disarming how many operations there were.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX], marker[PATH_MAX], operation[16], mode[16], part[64];
static int failing, error_number;
static atomic_int armed, seen, fired;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void note(const char *text) {
    int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int file = real_open(marker, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (file >= 0) {
        if (REAL(write)(file, text, strlen(text)) < 0) { /* the test will miss it */ }
        REAL(close)(file);
    }
}

void fault_arm(const char *where, const char *log, const char *kind, const char *how, const char *in, int number,
               int error) {
    snprintf(folder, sizeof folder, "%s/", where);
    snprintf(marker, sizeof marker, "%s", log);
    snprintf(operation, sizeof operation, "%s", kind);
    snprintf(mode, sizeof mode, "%s", how);
    snprintf(part, sizeof part, "%s", in);
    failing = number;
    error_number = error;
    atomic_store(&seen, 0);
    atomic_store(&fired, 0);
    atomic_store(&armed, 1);
}

void fault_disarm(void) {
    char text[64];
    if (!atomic_exchange(&armed, 0)) return;
    snprintf(text, sizeof text, "seen %d\n", atomic_load(&seen));
    note(text);
}

static int below(const char *path) { return strncmp(path, folder, strlen(folder)) == 0; }

static int path_of(int file, char *path) {
    char link[64];
    ssize_t length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length > 0;
}

/* Returns 0: go on; 1: fail with errno; 2: do half of it. */
static int fails(const char *kind, const char *path) {
    int writes = strcmp(kind, "read") != 0;
    char text[PATH_MAX + 64];
    if (!atomic_load(&armed) || !below(path)) return 0;
    if (atomic_load(&fired)) {
        if (writes && (!strcmp(mode, "full") || !strcmp(mode, "torn"))) {
            errno = error_number;
            return 1;
        }
        if (strcmp(kind, operation) == 0) atomic_fetch_add(&seen, 1);
        return 0;
    }
    if (!strstr(path + strlen(folder), part)) return 0;
    if (strcmp(kind, operation) != 0 || atomic_fetch_add(&seen, 1) + 1 != failing) return 0;
    if (atomic_exchange(&fired, 1)) return 0;
    snprintf(text, sizeof text, "fired %s %s\n", kind, path + strlen(folder));
    note(text);
    errno = error_number;
    return !strcmp(mode, "short") || !strcmp(mode, "torn") ? 2 : 1;
}

static int fails_open(int file, const char *kind) {
    char path[PATH_MAX];
    return atomic_load(&armed) && path_of(file, path) ? fails(kind, path) : 0;
}

static size_t half(size_t count) { return count > 1 ? count / 2 : count; }

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        static int (*real)(const char *, int, ...);                                                                    \
        mode_t rights = 0;                                                                                             \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                           \
            va_list rest;                                                                                              \
            va_start(rest, flags);                                                                                     \
            rights = va_arg(rest, mode_t);                                                                             \
            va_end(rest);                                                                                              \
        }                                                                                                              \
        if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);                                    \
        if ((flags & O_ACCMODE) != O_RDONLY && fails("open", path)) return -1;                                         \
        return real(path, flags, rights);                                                                              \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int file, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    int how = fails_open(file, "write");
    if (!real) real = REAL(write);
    return how == 1 ? -1 : real(file, bytes, how ? half(count) : count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t place) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    int how = fails_open(file, "write");
    if (!real) real = REAL(pwrite64);
    return how == 1 ? -1 : real(file, bytes, how ? half(count) : count, place);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    int how = fails_open(file, "write");
    if (!real) real = REAL(writev);
    if (how == 1) return -1;
    return how ? REAL(write)(file, parts[0].iov_base, half(parts[0].iov_len)) : real(file, parts, count);
}

ssize_t read(int file, void *bytes, size_t count) {
    static ssize_t (*real)(int, void *, size_t);
    int how = fails_open(file, "read");
    if (!real) real = REAL(read);
    return how == 1 ? -1 : real(file, bytes, how ? half(count) : count);
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = REAL(fsync);
    return fails_open(file, "fsync") ? -1 : real(file);
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = REAL(rename);
    return fails("rename", to) ? -1 : real(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    static int (*real)(int, const char *, int, const char *, int);
    if (!real) real = REAL(linkat);
    return fails("rename", to) ? -1 : real(from_folder, from, to_folder, to, flags);
}
