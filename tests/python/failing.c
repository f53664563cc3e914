/* Makes calls that change files below a directory fail, when preloaded, as on a disk that dies.
 *
 *   FAIL_BELOW     the directory
 *   FAIL_FROM      which call is the first to fail, from 1; all later ones fail as well
 *   FAIL_COUNTED   a file for the number of calls, written at the end
 *
 * They fail with EIO. What removes names goes on working.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long calls;

#define REAL(result, name, ...)         \
    static result (*real)(__VA_ARGS__); \
    if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, name)

static int is_below(const char* path) {
    const char* directory = getenv("FAIL_BELOW");
    return directory != NULL && strncmp(path, directory, strlen(directory)) == 0;
}

/* Whether this call, which concerns a path, is to fail. */
static int path_fails(const char* path) {
    if (!is_below(path)) return 0;
    const char* from = getenv("FAIL_FROM");
    return atomic_fetch_add(&calls, 1) + 1 >= (from == NULL ? LONG_MAX : atol(from));
}

static int fd_fails(int fd) {
    char link[64];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = '\0';
    return path_fails(path);
}

static int eio(void) {
    errno = EIO;
    return -1;
}

ssize_t write(int fd, const void* bytes, size_t size) {
    REAL(ssize_t, "write", int, const void*, size_t);
    return fd_fails(fd) ? eio() : real(fd, bytes, size);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void*, size_t, off64_t);
    return fd_fails(fd) ? eio() : real(fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
    return pwrite64(fd, bytes, size, offset);
}

ssize_t copy_file_range(int in, off64_t* in_offset, int out, off64_t* out_offset, size_t size,
                        unsigned flags) {
    REAL(ssize_t, "copy_file_range", int, off64_t*, int, off64_t*, size_t, unsigned);
    return fd_fails(out) ? eio() : real(in, in_offset, out, out_offset, size, flags);
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return fd_fails(fd) ? eio() : real(fd);
}

int rename(const char* from, const char* to) {
    REAL(int, "rename", const char*, const char*);
    return path_fails(to) ? eio() : real(from, to);
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) {
    REAL(int, "renameat", int, const char*, int, const char*);
    return fd_fails(to_directory) ? eio() : real(from_directory, from, to_directory, to);
}

int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags) {
    REAL(int, "linkat", int, const char*, int, const char*, int);
    return path_fails(to) ? eio() : real(from_directory, from, to_directory, to, flags);
}

__attribute__((destructor)) static void tell(void) {
    const char* counted = getenv("FAIL_COUNTED");
    FILE* file = counted == NULL ? NULL : fopen(counted, "w");
    if (file == NULL) return;
    fprintf(file, "%ld", atomic_load(&calls));
    fclose(file);
}
