// What shall go wrong in the computed tree, by name.
#ifndef FILETREE_BENCH_LATENCYFS_FAULTS_H_
#define FILETREE_BENCH_LATENCYFS_FAULTS_H_

#include <stdbool.h>
#include <stdint.h>

#include "latencyfs_tree.h"

enum operation { kOperationStat, kOperationOpen, kOperationList };

// Instead of an errno: the request is never answered.
enum { kHang = -1 };

struct fault {
    enum operation operation;
    const char* name;  // a base name, or with a "/" in it a path from the root
    int error;
};

struct faults {
    struct fault* list;
    unsigned count;
};

// Adds a fault; the name must outlive the list.
void faults_add(struct faults* faults, enum operation operation, const char* name, int error);

// Adds one from "NAME=ERRNO", a symbol (EIO) or a number; splits the text in place. False: not
// understood.
bool faults_parse(struct faults* faults, enum operation operation, char* text);

// The errno for this operation on this inode, kHang, or 0.
int faults_find(const struct faults* faults, const struct tree* tree, enum operation operation,
                uint64_t inode);

#endif
