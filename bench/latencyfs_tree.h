// A tree that is computed, never stored: every inode number maps to a name, a parent and
// attributes.
//
// With directories > 0 the root holds "d000000".. and each of these starts a chain of `depth`
// directories, the further ones named "c000001"..; every directory below the root holds
// "f000000.dat"... With directories == 0 the files lie in the root.
//
// Inode numbers: the root 1; directory k (chain t, level l: k = t * depth + l) has
// 2 + k * (files + 1), its files follow it. With directories == 0 file f has 2 + f.
#ifndef FILETREE_BENCH_LATENCYFS_TREE_H_
#define FILETREE_BENCH_LATENCYFS_TREE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { kTreeRoot = 1, kTreeNameSize = 32 };

struct tree {
    uint64_t directories;
    uint64_t files;
    uint64_t depth;
};

bool tree_is_directory(const struct tree* tree, uint64_t inode);
uint64_t tree_parent(const struct tree* tree, uint64_t inode);

// The children of a directory, in listing order: files, then what continues the chain.
uint64_t tree_child_count(const struct tree* tree, uint64_t directory);
uint64_t tree_child(const struct tree* tree, uint64_t directory, uint64_t index);

// The child of that name, or 0.
uint64_t tree_lookup(const struct tree* tree, uint64_t directory, const char* name);

// The base name; of the root ".".
void tree_name(const struct tree* tree, uint64_t inode, char name[static kTreeNameSize]);

// Whether `path`, relative to the root, leads to `inode`.
bool tree_has_path(const struct tree* tree, uint64_t inode, const char* path);

// With i the inode number. Files: mode 0640, size i * 2654435761 % 1048576, nlink 1. Directories:
// mode 0755, size 4096, nlink 2 + subdirectories. All: uid 1000 + i % 7, gid 100 + i % 5, mtime
// 1600000000 + i % 100000000, atime mtime + 3600, ctime mtime + 60, 512-byte blocks by size.
void tree_attributes(const struct tree* tree, uint64_t inode, struct stat* attributes);

#endif
