// Lookups side by side in one directory, as network file systems have them.
//
// Without FUSE_PARALLEL_DIROPS the kernel sends one lookup at a time for each directory. libfuse
// before 3.17 knows the flag but never passes it on to the kernel, hence this detour.
#ifndef FILETREE_BENCH_LATENCYFS_PARALLEL_H_
#define FILETREE_BENCH_LATENCYFS_PARALLEL_H_

#define FUSE_USE_VERSION 31
#include <fuse_lowlevel.h>
#include <stdbool.h>

// For a mounted session, before its loop starts.
bool allow_parallel_lookups(struct fuse_session* session);

#endif
