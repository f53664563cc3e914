/* Records, when preloaded, what a program does to the files below a directory.
 *
 *   RECORD_BELOW   the directory
 *   RECORD_TO      the file to append records to
 *
 * A record: kind u8, inode u64, offset u64, the lengths of a first and a second string u32 each,
 * and the two strings. Kinds and strings: see powercut.py. Records are in the order in which the
 * calls were made, one at a time. copy_file_range is refused, so that copies are written.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

#define REAL(result, name, ...)         \
    static result (*real)(__VA_ARGS__); \
    if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, name)

static const char* below(void) { return getenv("RECORD_BELOW"); }

static int is_below(const char* path) {
    const char* directory = below();
    const size_t length = directory == NULL ? 0 : strlen(directory);
    return length > 0 && strncmp(path, directory, length) == 0 &&
           (path[length] == '/' || path[length] == '\0');
}

static void put(const void* bytes, size_t length) {
    const char* at = bytes;
    while (length > 0) {
        const long done = syscall(SYS_write, log_fd, at, length);
        if (done <= 0) abort();
        at += done;
        length -= (size_t)done;
    }
}

static void record(char kind, uint64_t inode, uint64_t offset, const void* first, size_t first_size,
                   const void* second, size_t second_size) {
    if (log_fd < 0) {
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, getenv("RECORD_TO"),
                              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log_fd < 0) abort();
    }
    const uint32_t sizes[2] = {(uint32_t)first_size, (uint32_t)second_size};
    put(&kind, 1);
    put(&inode, sizeof inode);
    put(&offset, sizeof offset);
    put(sizes, sizeof sizes);
    put(first, first_size);
    put(second, second_size);
}

/* Where an open descriptor is; 0 when that is elsewhere. */
static int place_of(int fd, char* path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = '\0';
    return is_below(path);
}

static int resolve(int directory, const char* name, char* path) {
    if (name[0] == '/') {
        if (strlen(name) >= PATH_MAX) return 0;
        strcpy(path, name);
        return is_below(path);
    }
    char from[PATH_MAX];
    if (directory == AT_FDCWD) {
        if (getcwd(from, sizeof from) == NULL) return 0;
    } else {
        place_of(directory, from);
    }
    if (snprintf(path, PATH_MAX, "%s/%s", from, name) >= PATH_MAX) return 0;
    return is_below(path);
}

static uint64_t inode_of(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static int open_and_record(int directory, const char* name, int flags, mode_t mode) {
    char path[PATH_MAX];
    const int writes = (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    if (!writes || !resolve(directory, name, path)) {
        return (int)syscall(SYS_openat, directory, name, flags, mode);
    }
    pthread_mutex_lock(&mutex);
    const int temporary = (flags & O_TMPFILE) == O_TMPFILE;
    const int existed = !temporary && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    const int fd = (int)syscall(SYS_openat, directory, name, flags, mode);
    const int error = errno;
    if (fd >= 0) {
        if (temporary) record('t', inode_of(fd), 0, "", 0, "", 0);
        if (!temporary && !existed) record('c', inode_of(fd), 0, path, strlen(path), "", 0);
        if (existed && (flags & O_TRUNC) != 0) record('f', inode_of(fd), 0, "", 0, "", 0);
    }
    pthread_mutex_unlock(&mutex);
    errno = error;
    return fd;
}

#define MODE_FROM(flags)                                              \
    mode_t mode = 0;                                                  \
    if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) { \
        va_list rest;                                                 \
        va_start(rest, flags);                                        \
        mode = va_arg(rest, mode_t);                                  \
        va_end(rest);                                                 \
    }

int open(const char* name, int flags, ...) {
    MODE_FROM(flags)
    return open_and_record(AT_FDCWD, name, flags, mode);
}
int open64(const char* name, int flags, ...) {
    MODE_FROM(flags)
    return open_and_record(AT_FDCWD, name, flags, mode);
}
int openat(int directory, const char* name, int flags, ...) {
    MODE_FROM(flags)
    return open_and_record(directory, name, flags, mode);
}
int openat64(int directory, const char* name, int flags, ...) {
    MODE_FROM(flags)
    return open_and_record(directory, name, flags, mode);
}

static ssize_t write_and_record(int fd, const void* bytes, size_t size, off_t offset) {
    char path[PATH_MAX];
    if (!place_of(fd, path)) {
        return offset < 0 ? syscall(SYS_write, fd, bytes, size)
                          : syscall(SYS_pwrite64, fd, bytes, size, offset);
    }
    pthread_mutex_lock(&mutex);
    const off_t at = offset < 0 ? lseek(fd, 0, SEEK_CUR) : offset;
    const ssize_t done = syscall(SYS_pwrite64, fd, bytes, size, at);
    const int error = errno;
    if (offset < 0 && done > 0) lseek(fd, done, SEEK_CUR);
    if (done > 0) record('w', inode_of(fd), (uint64_t)at, bytes, (size_t)done, "", 0);
    pthread_mutex_unlock(&mutex);
    errno = error;
    return done;
}

ssize_t write(int fd, const void* bytes, size_t size) {
    return write_and_record(fd, bytes, size, -1);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
    return write_and_record(fd, bytes, size, offset);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t offset) {
    return write_and_record(fd, bytes, size, offset);
}
ssize_t writev(int fd, const struct iovec* pieces, int count) {
    REAL(ssize_t, "writev", int, const struct iovec*, int);
    char path[PATH_MAX];
    if (count > 0 && place_of(fd, path)) { /* as if the disk took one piece at a time */
        return write_and_record(fd, pieces[0].iov_base, pieces[0].iov_len, -1);
    }
    return real(fd, pieces, count);
}

ssize_t copy_file_range(int from, off64_t* from_at, int to, off64_t* to_at, size_t size,
                        unsigned flags) {
    (void)from, (void)from_at, (void)to, (void)to_at, (void)size, (void)flags;
    errno = ENOSYS;
    return -1;
}

static int truncate_and_record(int fd, off_t length) {
    char path[PATH_MAX];
    if (!place_of(fd, path)) return (int)syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&mutex);
    const int result = (int)syscall(SYS_ftruncate, fd, length);
    if (result == 0) record('f', inode_of(fd), (uint64_t)length, "", 0, "", 0);
    pthread_mutex_unlock(&mutex);
    return result;
}
int ftruncate(int fd, off_t length) { return truncate_and_record(fd, length); }
int ftruncate64(int fd, off_t length) { return truncate_and_record(fd, length); }

static int sync_and_record(int fd, long call) {
    char path[PATH_MAX];
    if (!place_of(fd, path)) return (int)syscall(call, fd);
    pthread_mutex_lock(&mutex);
    const int result = (int)syscall(call, fd);
    struct stat status;
    if (result == 0 && fstat(fd, &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            record('d', 0, 0, path, strlen(path), "", 0);
        } else {
            record('s', status.st_ino, 0, "", 0, "", 0);
        }
    }
    pthread_mutex_unlock(&mutex);
    return result;
}
int fsync(int fd) { return sync_and_record(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_and_record(fd, SYS_fdatasync); }

int renameat2(int from, const char* old, int to, const char* new, unsigned flags) {
    char source[PATH_MAX], target[PATH_MAX];
    const int watched = resolve(from, old, source) & resolve(to, new, target);
    pthread_mutex_lock(&mutex);
    const int result = (int)syscall(SYS_renameat2, from, old, to, new, flags);
    const int error = errno;
    if (result == 0 && watched) {
        record('r', 0, 0, source, strlen(source), target, strlen(target));
    }
    pthread_mutex_unlock(&mutex);
    errno = error;
    return result;
}
int rename(const char* old, const char* new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int from, const char* old, int to, const char* new) {
    return renameat2(from, old, to, new, 0);
}

int linkat(int from, const char* old, int to, const char* new, int flags) {
    char target[PATH_MAX];
    const int watched = resolve(to, new, target);
    pthread_mutex_lock(&mutex);
    const int result = (int)syscall(SYS_linkat, from, old, to, new, flags);
    const int error = errno;
    struct stat status;
    if (result == 0 && watched && stat(target, &status) == 0) {
        record('l', status.st_ino, 0, target, strlen(target), "", 0);
    }
    pthread_mutex_unlock(&mutex);
    errno = error;
    return result;
}
int link(const char* old, const char* new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int directory, const char* name, int flags) {
    char path[PATH_MAX];
    const int watched = resolve(directory, name, path);
    pthread_mutex_lock(&mutex);
    const int result = (int)syscall(SYS_unlinkat, directory, name, flags);
    const int error = errno;
    if (result == 0 && watched) record('u', 0, 0, path, strlen(path), "", 0);
    pthread_mutex_unlock(&mutex);
    errno = error;
    return result;
}
int unlink(const char* name) { return unlinkat(AT_FDCWD, name, 0); }

int mkdirat(int directory, const char* name, mode_t mode) {
    char path[PATH_MAX];
    const int watched = resolve(directory, name, path);
    pthread_mutex_lock(&mutex);
    const int result = (int)syscall(SYS_mkdirat, directory, name, mode);
    const int error = errno;
    if (result == 0 && watched) record('m', 0, 0, path, strlen(path), "", 0);
    pthread_mutex_unlock(&mutex);
    errno = error;
    return result;
}
int mkdir(const char* name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
