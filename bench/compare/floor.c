// The measured floor of a comparison: what plain threads reach with open, read and memcmp when
// nothing is made of the results. A comparer is judged by its ratio to this program.
//
//   compare_floor [-t THREADS] A B      two files, or two trees of directories and files
//   compare_floor [-t THREADS] -l LIST  pairs of files, "A<tab>B" in each line
//
//   -t  threads; default: one for each online core
//
// Prints "pairs different bytes seconds": pairs of files, and the bytes of one side. The status is
// 0 for the same, 1 for different, 2 when something could not be read.
//
// Two files are shared out in ranges, a list by the pair, trees by the directory: one listed by a
// thread goes, with its files, to that thread, and its subdirectories to a stack for whoever comes.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    kBlock = 128 * 1024,
    kRange = 8 * kBlock,  // of two large files, what a thread takes at a time
    kListing = 64 * 1024,
};

struct pair {
    char* a;
    char* b;
};

struct counts {
    uint64_t pairs;
    uint64_t different;
    uint64_t bytes;
    uint64_t errors;
};

struct worker;

struct job {
    void (*work)(struct worker*);
    int a;  // the two files, or the two tops
    int b;
    atomic_uint_fast64_t next;  // the first byte, or the first pair, that nobody has taken
    uint64_t end;
    struct pair* pairs;

    pthread_mutex_t mutex;
    pthread_cond_t work_or_end;
    char** stack;  // directories to compare, relative to the tops
    size_t depth;
    size_t capacity;
    unsigned busy;  // threads that may still push
};

struct worker {
    struct job* job;
    pthread_t thread;
    struct counts counts;
    char* block_a;
    char* block_b;
    char* listing;
};

static void* allocated(void* memory) {
    if (memory == NULL) {
        perror("compare_floor");
        exit(2);
    }
    return memory;
}

static void complain(struct worker* worker, const char* name) {
    ++worker->counts.errors;
    fprintf(stderr, "compare_floor: %s: %s\n", name, strerror(errno));
}

// ---- two files ----

// A short read of a regular file is its end: no second read has to ask.
static void compare_open(struct worker* worker, int a, int b, const char* name) {
    ssize_t size;
    do {
        size = read(a, worker->block_a, kBlock);
        const ssize_t other = read(b, worker->block_b, kBlock);
        if (size < 0 || other < 0) {
            complain(worker, name);
            return;
        }
        if (size != other || memcmp(worker->block_a, worker->block_b, (size_t)size) != 0) {
            ++worker->counts.different;
            return;
        }
        worker->counts.bytes += (uint64_t)size;
    } while (size == kBlock);
}

static void compare_files(struct worker* worker, int top_a, const char* a, int top_b,
                          const char* b) {
    ++worker->counts.pairs;
    const int fd_a = openat(top_a, a, O_RDONLY | O_CLOEXEC);
    const int fd_b = openat(top_b, b, O_RDONLY | O_CLOEXEC);
    if (fd_a >= 0 && fd_b >= 0)
        compare_open(worker, fd_a, fd_b, a);
    else if (errno == ENOENT)
        ++worker->counts.different;
    else
        complain(worker, a);
    if (fd_a >= 0) close(fd_a);
    if (fd_b >= 0) close(fd_b);
}

static void compare_ranges(struct worker* worker) {
    struct job* job = worker->job;
    uint64_t begin;
    while ((begin = atomic_fetch_add(&job->next, kRange)) < job->end) {
        for (uint64_t at = begin; at < begin + kRange && at < job->end; at += kBlock) {
            const ssize_t size = pread(job->a, worker->block_a, kBlock, (off_t)at);
            const ssize_t other = pread(job->b, worker->block_b, kBlock, (off_t)at);
            if (size < 0 || other < 0) {
                complain(worker, "pread");
                return;
            }
            if (size != other || memcmp(worker->block_a, worker->block_b, (size_t)size) != 0) {
                ++worker->counts.different;
                atomic_store(&job->next, job->end);
                return;
            }
            worker->counts.bytes += (uint64_t)size;
        }
    }
}

static void compare_list(struct worker* worker) {
    struct job* job = worker->job;
    uint64_t number;
    while ((number = atomic_fetch_add(&job->next, 1)) < job->end)
        compare_files(worker, AT_FDCWD, job->pairs[number].a, AT_FDCWD, job->pairs[number].b);
}

// ---- two trees ----

static void push(struct job* job, const char* directory, const char* name) {
    char* path;
    if (asprintf(&path, "%s/%s", directory, name) < 0) allocated(NULL);
    pthread_mutex_lock(&job->mutex);
    if (job->depth == job->capacity) {
        job->capacity = 2 * job->capacity + 64;
        job->stack = allocated(realloc(job->stack, job->capacity * sizeof *job->stack));
    }
    job->stack[job->depth++] = path;
    pthread_cond_signal(&job->work_or_end);
    pthread_mutex_unlock(&job->mutex);
}

// Waits for a directory; NULL when there is none and no thread is left that could add any.
static char* take(struct job* job) {
    pthread_mutex_lock(&job->mutex);
    --job->busy;
    while (job->depth == 0 && job->busy > 0) pthread_cond_wait(&job->work_or_end, &job->mutex);
    char* path = NULL;
    if (job->depth > 0) {
        path = job->stack[--job->depth];
        ++job->busy;
    } else {
        pthread_cond_broadcast(&job->work_or_end);
    }
    pthread_mutex_unlock(&job->mutex);
    return path;
}

static bool is_dot_or_dot_dot(const char* name) {
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

// Lists ``fd``; with ``other`` (not -1) compares each file with the one of that name over there.
static uint64_t go_through(struct worker* worker, const char* path, int fd, int other) {
    uint64_t entries = 0;
    ssize_t size;
    while ((size = getdents64(fd, worker->listing, kListing)) > 0) {
        const struct dirent64* record;
        for (ssize_t offset = 0; offset < size; offset += record->d_reclen) {
            record = (const struct dirent64*)(worker->listing + offset);
            if (is_dot_or_dot_dot(record->d_name)) continue;
            ++entries;
            if (other < 0) continue;
            if (record->d_type == DT_DIR)
                push(worker->job, path, record->d_name);
            else
                compare_files(worker, fd, record->d_name, other, record->d_name);
        }
    }
    if (size < 0) complain(worker, path);
    return entries;
}

// Names are not paired: where all of one side are on the other, and these are no more, they agree.
static void compare_directories(struct worker* worker, const char* path) {
    const int a = openat(worker->job->a, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int b = openat(worker->job->b, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (a >= 0 && b >= 0) {
        if (go_through(worker, path, a, b) != go_through(worker, path, b, -1))
            ++worker->counts.different;
    } else if (errno == ENOENT || errno == ENOTDIR) {
        ++worker->counts.different;
    } else {
        complain(worker, path);
    }
    if (a >= 0) close(a);
    if (b >= 0) close(b);
}

static void compare_trees(struct worker* worker) {
    for (char* path; (path = take(worker->job)) != NULL; free(path))
        compare_directories(worker, path);
}

// ---- the whole comparison ----

static int opened(const char* path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(path);
        exit(2);
    }
    return fd;
}

static void prepare_two(struct job* job, const char* a, const char* b) {
    job->a = opened(a);
    job->b = opened(b);
    struct stat of_a;
    struct stat of_b;
    if (fstat(job->a, &of_a) != 0 || fstat(job->b, &of_b) != 0) {
        perror("fstat");
        exit(2);
    }
    if (S_ISDIR(of_a.st_mode)) {
        job->work = compare_trees;
        push(job, ".", ".");
    } else {
        job->work = compare_ranges;
        job->end = (uint64_t)(of_a.st_size > of_b.st_size ? of_a.st_size : of_b.st_size);
    }
}

static void prepare_list(struct job* job, const char* path) {
    FILE* list = fopen(path, "r");
    if (list == NULL) {
        perror(path);
        exit(2);
    }
    job->work = compare_list;
    char* line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, list) > 0) {
        char* rest = line;
        const char* a = strsep(&rest, "\t\n");
        const char* b = strsep(&rest, "\t\n");
        if (b == NULL) continue;
        job->pairs = allocated(realloc(job->pairs, (job->end + 1) * sizeof *job->pairs));
        job->pairs[job->end++] = (struct pair){allocated(strdup(a)), allocated(strdup(b))};
    }
    free(line);
    fclose(list);
}

static void* start(void* argument) {
    struct worker* worker = argument;
    worker->block_a = allocated(aligned_alloc(4096, kBlock));
    worker->block_b = allocated(aligned_alloc(4096, kBlock));
    worker->listing = allocated(malloc(kListing));
    worker->job->work(worker);
    free(worker->block_a);
    free(worker->block_b);
    free(worker->listing);
    return NULL;
}

static struct counts run(struct job* job, unsigned threads) {
    struct worker* workers = allocated(calloc(threads, sizeof *workers));
    job->busy = threads;
    for (unsigned i = 0; i < threads; ++i) {
        workers[i].job = job;
        errno = pthread_create(&workers[i].thread, NULL, start, &workers[i]);
        allocated(errno == 0 ? &workers[i] : NULL);
    }
    struct counts total = {0};
    for (unsigned i = 0; i < threads; ++i) {
        pthread_join(workers[i].thread, NULL);
        total.pairs += workers[i].counts.pairs;
        total.different += workers[i].counts.different;
        total.bytes += workers[i].counts.bytes;
        total.errors += workers[i].counts.errors;
    }
    free(workers);
    return total;
}

static int usage(void) {
    fprintf(stderr, "usage: compare_floor [-t THREADS] A B | compare_floor [-t THREADS] -l LIST\n");
    return 2;
}

int main(int argc, char** argv) {
    unsigned threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    const char* list = NULL;
    for (int option; (option = getopt(argc, argv, "t:l:")) != -1;) {
        if (option == 't')
            threads = (unsigned)atoi(optarg);
        else if (option == 'l')
            list = optarg;
        else
            return usage();
    }
    if (optind + (list ? 0 : 2) != argc || threads == 0 || threads > 4096) return usage();

    struct timespec begin;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    struct job job = {.mutex = PTHREAD_MUTEX_INITIALIZER, .work_or_end = PTHREAD_COND_INITIALIZER};
    if (list)
        prepare_list(&job, list);
    else
        prepare_two(&job, argv[optind], argv[optind + 1]);
    struct counts total = run(&job, threads);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (job.work == compare_ranges) total.pairs = 1;
    printf("%ju %ju %ju %.6f\n", (uintmax_t)total.pairs, (uintmax_t)total.different,
           (uintmax_t)total.bytes,
           (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
    if (total.errors > 0) return 2;
    return total.different > 0 ? 1 : 0;
}
