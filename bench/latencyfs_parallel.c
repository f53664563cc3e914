#define _GNU_SOURCE
#include "latencyfs_parallel.h"

#include <linux/fuse.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_flag first_reply_sent = ATOMIC_FLAG_INIT;

// The kernel's first request is INIT, so the first reply is the answer to it.
static ssize_t send_reply(int fd, struct iovec* parts, int count, void* unused) {
    (void)unused;
    if (!atomic_flag_test_and_set(&first_reply_sent) && count > 1 &&
        parts[1].iov_len >= sizeof(struct fuse_init_out)) {
        struct fuse_init_out* init = parts[1].iov_base;
        init->flags |= FUSE_PARALLEL_DIROPS;
    }
    return writev(fd, parts, count);
}

static ssize_t receive(int fd, void* buffer, size_t size, void* unused) {
    (void)unused;
    return read(fd, buffer, size);
}

bool allow_parallel_lookups(struct fuse_session* session) {
    const struct fuse_custom_io io = {.writev = send_reply, .read = receive};
    return fuse_session_custom_io(session, &io, fuse_session_fd(session)) == 0;
}
