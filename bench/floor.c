// The measured floor of a tree walk: what plain threads reach with getdents64 and statx when
// nothing is done with the results. A walker is judged by its ratio to this program.
//
//   floor [-n] [-d] [-t THREADS] [-c CHUNK] DIRECTORY
//
//   -n  names only: no statx, except where the listing does not tell a directory from a file
//   -d  AT_STATX_DONT_SYNC: accept the attributes a network file system already holds
//   -t  threads; default: one for each online core
//   -c  names one thread takes at a time from a listing; default: see default_chunk()
//
// Prints "entries directories bytes seconds". The top itself is not counted, bytes is the sum of
// st_size, seconds runs from the moment all threads stand ready until the last entry is done.
//
// All work lies on one last-in-first-out stack under a mutex. An item is a directory to list, or a
// block of listed names to stat; a block stays on the stack while names are left in it, so that any
// number of threads can share it. A block goes there as soon as one getdents64 call returned, so
// the names of a huge directory are being statted while its listing continues.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    kListingBytes = 256 * 1024,
    kSmallestRecord = 24,  // getdents64 never returns a shorter one
};

// An open directory, alive while names listed from it are still to be opened or statted.
struct directory {
    atomic_uint references;
    int fd;
};

// The names one getdents64 call returned.
struct block {
    struct directory* directory;
    atomic_uint references;  // one for the names to stat, one for each subdirectory still to list
    uint32_t stat_count;
    uint32_t stat_taken;  // guarded by the stack's mutex
    uint32_t* to_stat;    // record offsets in bytes
    char bytes[];
};

// On the stack: "list the directory of this record", or the names to stat of a whole block.
struct item {
    struct block* block;
    uint32_t record;
};

static const uint32_t kNamesToStat = UINT32_MAX;

// What a thread was given: a range of names to stat, or (count 0) one directory to list.
struct job {
    struct block* block;
    uint32_t record;
    uint32_t first;
    uint32_t count;
};

struct counts {
    uint64_t entries;
    uint64_t directories;
    uint64_t bytes;
    uint64_t errors;
};

struct walk {
    bool names_only;
    int stat_flags;
    uint32_t chunk;

    pthread_barrier_t start;
    pthread_mutex_t mutex;
    pthread_cond_t work_or_end;
    struct item* stack;
    size_t depth;
    size_t capacity;
    unsigned busy;  // threads that may still push
    unsigned idle;
    struct timespec end;
};

struct worker {
    struct walk* walk;
    pthread_t thread;
    struct counts counts;
    struct item* found;  // subdirectories of the block being read, pushed in one go
    size_t found_count;
    size_t found_capacity;
    char* listing;
};

static void* allocated(void* memory) {
    if (memory == NULL) {
        perror("floor");
        exit(2);
    }
    return memory;
}

static void release_directory(struct directory* directory) {
    if (atomic_fetch_sub(&directory->references, 1) != 1) return;
    if (directory->fd >= 0) close(directory->fd);
    free(directory);
}

static void release_block(struct block* block) {
    if (atomic_fetch_sub(&block->references, 1) != 1) return;
    release_directory(block->directory);
    free(block->to_stat);
    free(block);
}

static struct block* new_block(struct directory* directory, const char* records, size_t size) {
    struct block* block = allocated(malloc(sizeof *block + size));
    atomic_fetch_add(&directory->references, 1);
    block->directory = directory;
    atomic_init(&block->references, 1);
    block->stat_count = 0;
    block->stat_taken = 0;
    block->to_stat = allocated(malloc((size / kSmallestRecord + 1) * sizeof *block->to_stat));
    memcpy(block->bytes, records, size);
    return block;
}

static const struct dirent64* record_at(const struct block* block, uint32_t offset) {
    return (const struct dirent64*)(block->bytes + offset);
}

// ---- the shared stack ----

static void wake(struct walk* walk, size_t jobs) {
    if (walk->idle == 0) return;
    if (jobs >= walk->idle) {
        pthread_cond_broadcast(&walk->work_or_end);
        return;
    }
    while (jobs-- > 0) pthread_cond_signal(&walk->work_or_end);
}

static void push(struct walk* walk, const struct item* items, size_t count, size_t jobs) {
    pthread_mutex_lock(&walk->mutex);
    if (walk->depth + count > walk->capacity) {
        walk->capacity = 2 * (walk->depth + count);
        walk->stack = allocated(realloc(walk->stack, walk->capacity * sizeof *walk->stack));
    }
    memcpy(walk->stack + walk->depth, items, count * sizeof *items);
    walk->depth += count;
    wake(walk, jobs);
    pthread_mutex_unlock(&walk->mutex);
}

static struct job take_from_top(struct walk* walk) {
    const struct item* top = &walk->stack[walk->depth - 1];
    struct job job = {.block = top->block, .record = top->record};
    if (top->record != kNamesToStat) {
        --walk->depth;
        return job;
    }
    const uint32_t left = top->block->stat_count - top->block->stat_taken;
    job.first = top->block->stat_taken;
    if (left > walk->chunk) {
        job.count = walk->chunk;
        atomic_fetch_add(&top->block->references, 1);  // the stack keeps its own
    } else {
        job.count = left;
        --walk->depth;
    }
    top->block->stat_taken += job.count;
    return job;
}

// Waits for work; false when there is none and no thread is left that could add any.
static bool take(struct walk* walk, struct job* job) {
    pthread_mutex_lock(&walk->mutex);
    --walk->busy;
    if (walk->busy == 0 && walk->depth == 0) {
        clock_gettime(CLOCK_MONOTONIC, &walk->end);
        pthread_cond_broadcast(&walk->work_or_end);
    }
    while (walk->depth == 0 && walk->busy > 0) {
        ++walk->idle;
        pthread_cond_wait(&walk->work_or_end, &walk->mutex);
        --walk->idle;
    }
    const bool found = walk->depth > 0;
    if (found) {
        ++walk->busy;
        *job = take_from_top(walk);
    }
    pthread_mutex_unlock(&walk->mutex);
    return found;
}

// ---- one directory ----

static void complain(struct worker* worker, const char* operation, const char* name) {
    ++worker->counts.errors;
    fprintf(stderr, "floor: %s %s: %s\n", operation, name, strerror(errno));
}

static void add_found(struct worker* worker, struct block* block, uint32_t record) {
    if (worker->found_count == worker->found_capacity) {
        worker->found_capacity = 2 * worker->found_capacity + 64;
        worker->found =
            allocated(realloc(worker->found, worker->found_capacity * sizeof *worker->found));
    }
    worker->found[worker->found_count++] = (struct item){block, record};
}

static void push_found(struct worker* worker, size_t jobs) {
    if (worker->found_count > 0) push(worker->walk, worker->found, worker->found_count, jobs);
    worker->found_count = 0;
}

static bool is_dot_or_dot_dot(const char* name) {
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

// Sorts the records of a block into subdirectories to list and names to stat.
static void sort_records(struct worker* worker, struct block* block, uint32_t size) {
    const bool names_only = worker->walk->names_only;
    const struct dirent64* record;
    for (uint32_t offset = 0; offset < size; offset += record->d_reclen) {
        record = record_at(block, offset);
        if (is_dot_or_dot_dot(record->d_name)) continue;
        ++worker->counts.entries;
        if (!names_only || record->d_type == DT_UNKNOWN)
            block->to_stat[block->stat_count++] = offset;
        if (record->d_type == DT_DIR) {
            ++worker->counts.directories;
            add_found(worker, block, offset);
        }
    }
}

static void take_in_listing(struct worker* worker, struct directory* directory, uint32_t size) {
    struct walk* walk = worker->walk;
    struct block* block = new_block(directory, worker->listing, size);
    sort_records(worker, block, size);
    size_t jobs = worker->found_count + (block->stat_count + walk->chunk - 1) / walk->chunk;
    atomic_fetch_add(&block->references, worker->found_count);
    // Names on top: statting them soon lets the descriptor go, diving first would hold one each
    // level.
    if (block->stat_count > 0) {
        atomic_fetch_add(&block->references, 1);
        add_found(worker, block, kNamesToStat);
    }
    push_found(worker, jobs);
    release_block(block);
}

static int open_directory(int parent, const char* name) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    const int fd = openat(parent, name, flags | O_NOATIME);
    return fd >= 0 || errno != EPERM ? fd : openat(parent, name, flags);
}

static void list(struct worker* worker, int parent, const char* name) {
    struct directory* directory = allocated(malloc(sizeof *directory));
    atomic_init(&directory->references, 1);
    directory->fd = open_directory(parent, name);
    if (directory->fd < 0) {
        complain(worker, "open", name);
    } else {
        ssize_t size;
        while ((size = getdents64(directory->fd, worker->listing, kListingBytes)) > 0)
            take_in_listing(worker, directory, (uint32_t)size);
        if (size < 0) complain(worker, "list", name);
    }
    release_directory(directory);
}

static void stat_one(struct worker* worker, struct block* block, uint32_t offset) {
    const struct dirent64* record = record_at(block, offset);
    struct statx attributes;
    if (statx(block->directory->fd, record->d_name, worker->walk->stat_flags, STATX_BASIC_STATS,
              &attributes) != 0) {
        complain(worker, "stat", record->d_name);
        return;
    }
    if (!worker->walk->names_only) worker->counts.bytes += attributes.stx_size;
    if (record->d_type == DT_UNKNOWN && S_ISDIR(attributes.stx_mode)) {
        ++worker->counts.directories;
        atomic_fetch_add(&block->references, 1);
        add_found(worker, block, offset);
        push_found(worker, 1);
    }
}

static void do_job(struct worker* worker, const struct job* job) {
    struct block* block = job->block;
    if (job->record != kNamesToStat)
        list(worker, block->directory->fd, record_at(block, job->record)->d_name);
    for (uint32_t i = 0; i < job->count; ++i)
        stat_one(worker, block, block->to_stat[job->first + i]);
    release_block(block);
}

static void* work(void* argument) {
    struct worker* worker = argument;
    worker->listing = allocated(malloc(kListingBytes));
    pthread_barrier_wait(&worker->walk->start);
    struct job job;
    while (take(worker->walk, &job)) do_job(worker, &job);
    free(worker->listing);
    free(worker->found);
    return NULL;
}

// ---- the whole walk ----

static void push_top(struct walk* walk, const char* path) {
    const size_t size = sizeof(struct dirent64) + strlen(path) + 1;
    struct dirent64* record = allocated(calloc(1, size));
    memcpy((char*)record + offsetof(struct dirent64, d_name), path, strlen(path) + 1);
    struct directory* directory = allocated(malloc(sizeof *directory));
    atomic_init(&directory->references, 1);
    directory->fd = AT_FDCWD;
    const struct item top = {new_block(directory, (const char*)record, size), 0};
    release_directory(directory);
    free(record);
    push(walk, &top, 1, 1);
}

static double seconds_between(struct timespec from, struct timespec to) {
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

static struct counts run(struct walk* walk, unsigned threads, double* seconds) {
    struct worker* workers = allocated(calloc(threads, sizeof *workers));
    pthread_barrier_init(&walk->start, NULL, threads + 1);
    walk->busy = threads;
    for (unsigned i = 0; i < threads; ++i) {
        workers[i].walk = walk;
        errno = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        allocated(errno == 0 ? &workers[i] : NULL);
    }
    struct timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pthread_barrier_wait(&walk->start);
    struct counts total = {0};
    for (unsigned i = 0; i < threads; ++i) {
        pthread_join(workers[i].thread, NULL);
        total.entries += workers[i].counts.entries;
        total.directories += workers[i].counts.directories;
        total.bytes += workers[i].counts.bytes;
        total.errors += workers[i].counts.errors;
    }
    *seconds = seconds_between(begin, walk->end);
    free(workers);
    return total;
}

// More threads than cores are there to wait for slow storage, and then the work must spread finely;
// without waiting, two threads in one directory only contend for it.
static uint32_t default_chunk(unsigned threads, unsigned cores) {
    return threads > cores ? 16 : 1024;
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int usage(void) {
    fprintf(stderr, "usage: floor [-n] [-d] [-t THREADS] [-c CHUNK] DIRECTORY\n");
    return 2;
}

int main(int argc, char** argv) {
    const unsigned cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = cores;
    struct walk walk = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                        .work_or_end = PTHREAD_COND_INITIALIZER};
    walk.stat_flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    for (int option; (option = getopt(argc, argv, "ndt:c:")) != -1;) {
        if (option == 'n')
            walk.names_only = true;
        else if (option == 'd')
            walk.stat_flags |= AT_STATX_DONT_SYNC;
        else if (option == 't')
            threads = (unsigned)atoi(optarg);
        else if (option == 'c')
            walk.chunk = (uint32_t)atoi(optarg);
        else
            return usage();
    }
    if (optind + 1 != argc || threads == 0 || threads > 4096) return usage();
    if (walk.chunk == 0) walk.chunk = default_chunk(threads, cores);

    raise_descriptor_limit();
    push_top(&walk, argv[optind]);
    double seconds = 0;
    const struct counts total = run(&walk, threads, &seconds);
    free(walk.stack);
    printf("%ju %ju %ju %.6f\n", (uintmax_t)total.entries, (uintmax_t)total.directories,
           (uintmax_t)total.bytes, seconds);
    return total.errors == 0 ? 0 : 1;
}
