// Makes a tree of directories and small sparse files, as fast as the file system takes them.
//
//   make_tree DIRECTORY --directories N --files M [--fanout K] [--threads T]
//
// N directories "d000000".. below DIRECTORY, K in each (default: so many that three or four levels
// are enough), each holding M files "f000000.dat"..; with N = 0 the M files lie in DIRECTORY
// itself. With K = 1, a chain, all are called "d", so that paths of long chains remain usable.
// Sizes below 64 KiB, computed from the file's number and without any blocks. DIRECTORY is created
// when it does not exist. Prints "directories files seconds".

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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

enum { kFilesPerJob = 4096 };

// Extensions differ so that a column of them looks like one.
static const char* const kExtensions[] = {".dat", ".txt",    ".csv", ".py",
                                          ".h5",  ".tar.gz", "",     ".o"};

struct plan {
    const char* top;
    uint64_t directories;
    uint64_t files;
    uint64_t fanout;
    unsigned threads;
    atomic_uint_fast64_t next_job;
};

static void fail(const char* what) {
    fprintf(stderr, "make_tree: %s: %s\n", what, strerror(errno));
    exit(1);
}

// Directory 0 is the top; the children of directory p are p * fanout + 1 .. p * fanout + fanout.
static size_t write_path(const struct plan* plan, uint64_t directory, char* out, size_t capacity) {
    if (directory == 0) return (size_t)snprintf(out, capacity, "%s", plan->top);
    const size_t length = write_path(plan, (directory - 1) / plan->fanout, out, capacity);
    if (length >= capacity) return length;
    if (plan->fanout == 1) return length + (size_t)snprintf(out + length, capacity - length, "/d");
    return length +
           (size_t)snprintf(out + length, capacity - length, "/d%06ju", (uintmax_t)(directory - 1));
}

static void path_of(const struct plan* plan, uint64_t directory, char path[static 4096]) {
    if (write_path(plan, directory, path, 4096) < 4096) return;
    errno = ENAMETOOLONG;
    fail(plan->top);
}

static void make_directories(const struct plan* plan) {
    char path[4096];
    if (mkdir(plan->top, 0777) != 0 && errno != EEXIST) fail(plan->top);
    for (uint64_t i = 1; i <= plan->directories; ++i) {
        path_of(plan, i, path);
        if (mkdir(path, 0777) != 0) fail(path);
    }
}

static void make_file(int parent, uint64_t file, uint64_t number) {
    char name[64];
    const size_t extensions = sizeof kExtensions / sizeof *kExtensions;
    snprintf(name, sizeof name, "f%06ju%s", (uintmax_t)file, kExtensions[number % extensions]);
    const int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) fail(name);
    if (ftruncate(fd, (off_t)(number * 2654435761U % 65536)) != 0) fail(name);
    close(fd);
}

static uint64_t jobs_per_directory(const struct plan* plan) {
    return (plan->files + kFilesPerJob - 1) / kFilesPerJob;
}

static void do_job(const struct plan* plan, uint64_t job) {
    const uint64_t holder = job / jobs_per_directory(plan);  // counts only directories with files
    const uint64_t first = job % jobs_per_directory(plan) * kFilesPerJob;
    const uint64_t end = first + kFilesPerJob < plan->files ? first + kFilesPerJob : plan->files;
    char path[4096];
    path_of(plan, plan->directories == 0 ? 0 : holder + 1, path);
    const int parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0) fail(path);
    for (uint64_t file = first; file < end; ++file)
        make_file(parent, file, holder * plan->files + file);
    close(parent);
}

static void* make_files(void* argument) {
    struct plan* plan = argument;
    const uint64_t holders = plan->directories == 0 ? 1 : plan->directories;
    const uint64_t jobs = holders * jobs_per_directory(plan);
    for (uint64_t job; (job = atomic_fetch_add(&plan->next_job, 1)) < jobs;) do_job(plan, job);
    return NULL;
}

static void run(struct plan* plan) {
    make_directories(plan);
    pthread_t* threads = calloc(plan->threads, sizeof *threads);
    if (threads == NULL) fail("threads");
    for (unsigned i = 0; i < plan->threads; ++i) {
        errno = pthread_create(&threads[i], NULL, make_files, plan);
        if (errno != 0) fail("threads");
    }
    for (unsigned i = 0; i < plan->threads; ++i) pthread_join(threads[i], NULL);
    free(threads);
}

// The smallest fan-out whose three full levels hold all directories.
static uint64_t default_fanout(uint64_t directories) {
    uint64_t fanout = 2;
    while (fanout + fanout * fanout + fanout * fanout * fanout < directories) ++fanout;
    return fanout;
}

static int usage(void) {
    fprintf(stderr,
            "usage: make_tree DIRECTORY --directories N --files M [--fanout K] [--threads T]\n");
    return 2;
}

static bool parse(int argc, char** argv, struct plan* plan) {
    static const struct option options[] = {{"directories", required_argument, NULL, 'd'},
                                            {"files", required_argument, NULL, 'f'},
                                            {"fanout", required_argument, NULL, 'k'},
                                            {"threads", required_argument, NULL, 't'},
                                            {0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?') return false;
        const uint64_t value = strtoull(optarg, NULL, 10);
        if (option == 'd')
            plan->directories = value;
        else if (option == 'f')
            plan->files = value;
        else if (option == 'k')
            plan->fanout = value;
        else
            plan->threads = (unsigned)value;
    }
    if (optind + 1 != argc || plan->threads == 0) return false;
    plan->top = argv[optind];
    if (plan->fanout == 0) plan->fanout = default_fanout(plan->directories);
    return true;
}

int main(int argc, char** argv) {
    struct plan plan = {.threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)};
    if (!parse(argc, argv, &plan)) return usage();
    struct timespec begin;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    run(&plan);
    clock_gettime(CLOCK_MONOTONIC, &end);
    const uint64_t holders = plan.directories == 0 ? 1 : plan.directories;
    printf("%ju %ju %.3f\n", (uintmax_t)plan.directories, (uintmax_t)(holders * plan.files),
           (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
    return 0;
}
