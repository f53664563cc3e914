// A FUSE file system with a computed tree, where every operation takes a while, and where chosen
// names fail, vanish or hang: what a network file system does to a walker, on demand.
//
//   latencyfs [options] MOUNTPOINT
//
//   --directories N     directories in the root (default 10; 0: the files lie in the root)
//   --files N           files in each directory (default 10)
//   --depth N           each directory of the root starts a chain of N directories (default 1)
//   --delay-us N        time each lookup, getattr, opendir and readdir request takes (default 0)
//   --attr-timeout S    lifetime of cached attributes and names, in seconds (default 0: none)
//   --fail NAME=ERRNO        opening this directory fails
//   --fail-list NAME=ERRNO   listing it fails after the first half of its names
//   --fail-stat NAME=ERRNO   lookup and getattr fail
//   --vanish NAME            listed, but lookup says ENOENT
//   --hang NAME              opening this directory gets no answer
//   --hang-stat NAME         lookup and getattr get none
//   --uninterruptible   a hanging caller cannot be killed either (default: a signal frees it with
//                       EINTR); only the end of the mount frees it
//   --readdirplus       offer listings with attributes (default: names only)
//   --unknown-types     listings do not tell the type of an entry
//   --stats             print the operations served when ending
//
// NAME is a base name, "." for the root, or, with a "/" in it, a path from the root. The options
// that take one can be repeated. Layout and attributes: latencyfs_tree.h.
//
// Stays in the foreground, prints "ready" once mounted, ends cleanly on SIGTERM and SIGINT even
// while requests hang: they get no answer, no thread waits with them, and the mount is detached
// lazily.

#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse_lowlevel.h>
#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latencyfs_faults.h"
#include "latencyfs_parallel.h"
#include "latencyfs_queue.h"
#include "latencyfs_tree.h"

static struct settings {
    struct tree tree;
    struct faults faults;
    uint64_t delay_us;
    double attr_timeout;
    int uninterruptible;
    int readdirplus;
    int unknown_types;
    int stats;
} settings = {.tree = {.directories = 10, .files = 10, .depth = 1}};

static struct delay_queue* queue;

static struct {
    atomic_ulong lookup, getattr, opendir, readdir, names;
    atomic_ulong in_flight, most_in_flight;
} served;

// A request and what it will be answered with; error excludes the rest.
struct answer {
    struct delayed delayed;
    fuse_req_t request;
    enum { kEntry, kAttributes, kOpened, kListing } kind;
    int error;
    uint64_t inode;
    struct fuse_file_info file;
    char* listing;
    size_t listing_size;
};

// ---- answering ----

static struct fuse_entry_param entry_of(uint64_t inode) {
    struct fuse_entry_param entry = {.ino = inode,
                                     .attr_timeout = settings.attr_timeout,
                                     .entry_timeout = settings.attr_timeout};
    tree_attributes(&settings.tree, inode, &entry.attr);
    return entry;
}

static void send_answer(const struct answer* answer) {
    const struct fuse_entry_param entry = entry_of(answer->inode);
    if (answer->error != 0) {
        fuse_reply_err(answer->request, answer->error);
        return;
    }
    switch (answer->kind) {
        case kEntry:
            fuse_reply_entry(answer->request, &entry);
            break;
        case kAttributes:
            fuse_reply_attr(answer->request, &entry.attr, settings.attr_timeout);
            break;
        case kOpened:
            fuse_reply_open(answer->request, &answer->file);
            break;
        case kListing:
            fuse_reply_buf(answer->request, answer->listing, answer->listing_size);
            break;
    }
}

static void answer_due(struct delayed* delayed) {
    struct answer* answer = (struct answer*)delayed;
    atomic_fetch_sub(&served.in_flight, 1);
    send_answer(answer);
    free(answer->listing);
    free(answer);
}

static void answer_later(const struct answer* answer) {
    struct answer* copy = malloc(sizeof *copy);
    if (copy == NULL) {
        fuse_reply_err(answer->request, ENOMEM);
        return;
    }
    *copy = *answer;
    const unsigned long now = atomic_fetch_add(&served.in_flight, 1) + 1;
    unsigned long most = atomic_load(&served.most_in_flight);
    while (now > most && !atomic_compare_exchange_weak(&served.most_in_flight, &most, now)) {
    }
    delay_queue_add(queue, &copy->delayed);
}

static void answer_interrupted(fuse_req_t request, void* unused) {
    (void)unused;
    answer_later(&(struct answer){.request = request, .error = EINTR, .inode = kTreeRoot});
}

static void answer_or_hang(const struct answer* answer) {
    if (answer->error != kHang) {
        answer_later(answer);
    } else if (!settings.uninterruptible) {
        fuse_req_interrupt_func(answer->request, answer_interrupted, NULL);
    }
}

// ---- the operations ----

static int fault_of(enum operation operation, uint64_t inode) {
    return faults_find(&settings.faults, &settings.tree, operation, inode);
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
    atomic_fetch_add(&served.lookup, 1);
    const uint64_t inode = tree_lookup(&settings.tree, parent, name);
    const int error = inode == 0 ? ENOENT : fault_of(kOperationStat, inode);
    answer_or_hang(&(struct answer){
        .request = request, .kind = kEntry, .error = error, .inode = inode ? inode : kTreeRoot});
}

static void on_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info* file) {
    (void)file;
    atomic_fetch_add(&served.getattr, 1);
    answer_or_hang(&(struct answer){.request = request,
                                    .kind = kAttributes,
                                    .error = fault_of(kOperationStat, inode),
                                    .inode = inode});
}

static void on_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info* file) {
    atomic_fetch_add(&served.opendir, 1);
    answer_or_hang(&(struct answer){.request = request,
                                    .kind = kOpened,
                                    .error = fault_of(kOperationOpen, inode),
                                    .inode = inode,
                                    .file = *file});
}

// Entry `position` of the listing as the kernel wants it: 0 and 1 are "." and "..".
static size_t add_entry(fuse_req_t request, char* buffer, size_t room, uint64_t directory,
                        uint64_t position, int plus) {
    char name[kTreeNameSize];
    uint64_t inode = directory;
    if (position == 1) inode = tree_parent(&settings.tree, directory);
    if (position > 1) inode = tree_child(&settings.tree, directory, position - 2);
    if (position < 2)
        strcpy(name, position == 0 ? "." : "..");
    else
        tree_name(&settings.tree, inode, name);

    struct fuse_entry_param entry = entry_of(inode);
    const off_t next = (off_t)position + 1;
    if (plus) {
        // Number 0 withholds the attributes: the kernel then asks for them.
        if (position < 2 || fault_of(kOperationStat, inode) != 0) entry.ino = 0;
        return fuse_add_direntry_plus(request, buffer, room, name, &entry, next);
    }
    if (settings.unknown_types) entry.attr.st_mode &= ~(mode_t)S_IFMT;
    return fuse_add_direntry(request, buffer, room, name, &entry.attr, next);
}

static void fill_listing(struct answer* answer, size_t capacity, uint64_t position, int plus) {
    const uint64_t end = 2 + tree_child_count(&settings.tree, answer->inode);
    const int fault = fault_of(kOperationList, answer->inode);
    const uint64_t readable = fault != 0 ? end / 2 : end;
    if (fault != 0 && position >= readable) answer->error = fault;
    for (; position < readable; ++position) {
        const size_t room = capacity - answer->listing_size;
        const size_t size = add_entry(answer->request, answer->listing + answer->listing_size, room,
                                      answer->inode, position, plus);
        if (size > room) break;
        answer->listing_size += size;
        atomic_fetch_add(&served.names, 1);
    }
}

static void list(fuse_req_t request, uint64_t inode, size_t size, off_t offset, int plus) {
    atomic_fetch_add(&served.readdir, 1);
    struct answer answer = {.request = request, .kind = kListing, .inode = inode};
    answer.listing = malloc(size);
    if (answer.listing == NULL)
        answer.error = ENOMEM;
    else
        fill_listing(&answer, size, (uint64_t)offset, plus);
    answer_or_hang(&answer);
}

static void on_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                       struct fuse_file_info* file) {
    (void)file;
    list(request, inode, size, offset, 0);
}

static void on_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                           struct fuse_file_info* file) {
    (void)file;
    list(request, inode, size, offset, 1);
}

// ---- options and session ----

enum {
    kDirectories = 256,
    kFiles,
    kDepth,
    kDelay,
    kAttrTimeout,
    kFail,
    kFailList,
    kFailStat,
    kVanish,
    kHangOpen,
    kHangStat,
};

static const struct option kOptions[] = {
    {"directories", required_argument, NULL, kDirectories},
    {"files", required_argument, NULL, kFiles},
    {"depth", required_argument, NULL, kDepth},
    {"delay-us", required_argument, NULL, kDelay},
    {"attr-timeout", required_argument, NULL, kAttrTimeout},
    {"fail", required_argument, NULL, kFail},
    {"fail-list", required_argument, NULL, kFailList},
    {"fail-stat", required_argument, NULL, kFailStat},
    {"vanish", required_argument, NULL, kVanish},
    {"hang", required_argument, NULL, kHangOpen},
    {"hang-stat", required_argument, NULL, kHangStat},
    {"uninterruptible", no_argument, &settings.uninterruptible, 1},
    {"readdirplus", no_argument, &settings.readdirplus, 1},
    {"unknown-types", no_argument, &settings.unknown_types, 1},
    {"stats", no_argument, &settings.stats, 1},
    {0},
};

static int take_fault(int option, char* value) {
    struct faults* faults = &settings.faults;
    switch (option) {
        case kFail:
            return faults_parse(faults, kOperationOpen, value);
        case kFailList:
            return faults_parse(faults, kOperationList, value);
        case kFailStat:
            return faults_parse(faults, kOperationStat, value);
        case kVanish:
            faults_add(faults, kOperationStat, value, ENOENT);
            return 1;
        case kHangOpen:
            faults_add(faults, kOperationOpen, value, kHang);
            return 1;
        case kHangStat:
            faults_add(faults, kOperationStat, value, kHang);
            return 1;
        default:
            return 0;
    }
}

static int take_option(int option, char* value) {
    switch (option) {
        case 0:
            return 1;
        case kDirectories:
            settings.tree.directories = strtoull(value, NULL, 10);
            return 1;
        case kFiles:
            settings.tree.files = strtoull(value, NULL, 10);
            return 1;
        case kDepth:
            settings.tree.depth = strtoull(value, NULL, 10);
            return settings.tree.depth > 0;
        case kDelay:
            settings.delay_us = strtoull(value, NULL, 10);
            return 1;
        case kAttrTimeout:
            settings.attr_timeout = strtod(value, NULL);
            return 1;
        default:
            return take_fault(option, value);
    }
}

static struct fuse_session* new_session(void) {
    struct fuse_lowlevel_ops operations = {
        .lookup = on_lookup, .getattr = on_getattr, .opendir = on_opendir, .readdir = on_readdir};
    if (settings.readdirplus) operations.readdirplus = on_readdirplus;
    // Only root may let others in without being allowed to by the system's configuration.
    char* arguments[] = {"latencyfs", "-o",
                         geteuid() == 0 ? "fsname=latencyfs,allow_other" : "fsname=latencyfs",
                         NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, arguments);
    return fuse_session_new(&args, &operations, sizeof operations, NULL);
}

static void print_stats(void) {
    printf("lookup %lu getattr %lu opendir %lu readdir %lu names %lu most_in_flight %lu\n",
           served.lookup, served.getattr, served.opendir, served.readdir, served.names,
           served.most_in_flight);
}

// Handlers never block, so the few threads of the library's loop are enough for any number of
// requests under way.
static int serve(struct fuse_session* session) {
    queue = delay_queue_start(settings.delay_us, answer_due);
    if (queue == NULL || !allow_parallel_lookups(session)) return 1;
    puts("ready");
    fflush(stdout);
    const int result = fuse_session_loop_mt(session, 0);
    delay_queue_stop(queue);
    if (settings.stats) print_stats();
    return result < 0 ? 1 : 0;
}

int main(int argc, char** argv) {
    for (int option; (option = getopt_long(argc, argv, "", kOptions, NULL)) != -1;) {
        if (!take_option(option, optarg)) {
            fprintf(stderr, "usage: latencyfs [options] MOUNTPOINT\n");
            return 2;
        }
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "latencyfs: exactly one mount point\n");
        return 2;
    }
    struct fuse_session* session = new_session();
    if (session == NULL) return 1;
    int status = 1;
    if (fuse_set_signal_handlers(session) == 0 && fuse_session_mount(session, argv[optind]) == 0) {
        status = serve(session);
        fuse_session_unmount(session);
    }
    fuse_remove_signal_handlers(session);
    fuse_session_destroy(session);
    free(settings.faults.list);
    return status;
}
