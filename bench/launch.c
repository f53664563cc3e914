// Runs a command and notes what it took, from outside and without weight of its own:
//
//   launch FILE COMMAND [ARGUMENT...]
//
// writes "seconds peak_kib cpu_seconds" to FILE and exits as COMMAND did, with 128 + N where signal
// N ended it. cpu_seconds are user's and system's, with those of all children that were waited for.
// A process passes its peak memory on across exec: what a Python program starts never shows less
// than that program uses. Of several processes peak_kib is the largest one's.

#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

int main(int argc, char** argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: launch FILE COMMAND [ARGUMENT...]\n");
        return 2;
    }
    struct timespec begin;
    struct timespec end;
    pid_t child;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const int failure = posix_spawnp(&child, argv[2], NULL, NULL, argv + 2, environ);
    if (failure != 0) {
        fprintf(stderr, "launch: %s: %s\n", argv[2], strerror(failure));
        return 127;
    }
    int status;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR) continue;
    clock_gettime(CLOCK_MONOTONIC, &end);

    FILE* file = fopen(argv[1], "w");
    if (file == NULL ||
        fprintf(file, "%.6f %ld %.6f\n",
                (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec),
                usage.ru_maxrss, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)) < 0 ||
        fclose(file) != 0) {
        perror(argv[1]);
        return 127;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
