#define _GNU_SOURCE
#include "latencyfs_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t kFirstInode = kTreeRoot + 1;

static uint64_t inodes_per_directory(const struct tree* tree) { return tree->files + 1; }

static uint64_t directory_inode(const struct tree* tree, uint64_t number) {
    return kFirstInode + number * inodes_per_directory(tree);
}

static uint64_t directory_number(const struct tree* tree, uint64_t inode) {
    return (inode - kFirstInode) / inodes_per_directory(tree);
}

static bool chain_goes_on(const struct tree* tree, uint64_t inode) {
    return directory_number(tree, inode) % tree->depth + 1 < tree->depth;
}

static uint64_t subdirectory_count(const struct tree* tree, uint64_t directory) {
    if (directory == kTreeRoot) return tree->directories;
    return chain_goes_on(tree, directory) ? 1 : 0;
}

static uint64_t file_count(const struct tree* tree, uint64_t directory) {
    return directory != kTreeRoot || tree->directories == 0 ? tree->files : 0;
}

bool tree_is_directory(const struct tree* tree, uint64_t inode) {
    if (inode == kTreeRoot) return true;
    return tree->directories > 0 && (inode - kFirstInode) % inodes_per_directory(tree) == 0;
}

uint64_t tree_parent(const struct tree* tree, uint64_t inode) {
    if (inode == kTreeRoot || tree->directories == 0) return kTreeRoot;
    const uint64_t number = directory_number(tree, inode);
    if (!tree_is_directory(tree, inode)) return directory_inode(tree, number);
    return number % tree->depth == 0 ? (uint64_t)kTreeRoot : directory_inode(tree, number - 1);
}

uint64_t tree_child_count(const struct tree* tree, uint64_t directory) {
    return file_count(tree, directory) + subdirectory_count(tree, directory);
}

uint64_t tree_child(const struct tree* tree, uint64_t directory, uint64_t index) {
    if (directory == kTreeRoot)
        return tree->directories == 0 ? kFirstInode + index
                                      : directory_inode(tree, index * tree->depth);
    // The directory that continues the chain follows the last file, in number and in the listing.
    return directory + 1 + index;
}

void tree_name(const struct tree* tree, uint64_t inode, char name[static kTreeNameSize]) {
    if (inode == kTreeRoot) {
        snprintf(name, kTreeNameSize, ".");
    } else if (tree_is_directory(tree, inode)) {
        const uint64_t number = directory_number(tree, inode);
        const uint64_t level = number % tree->depth;
        snprintf(name, kTreeNameSize, level == 0 ? "d%06ju" : "c%06ju",
                 (uintmax_t)(level == 0 ? number / tree->depth : level));
    } else {
        const uint64_t holder = tree_parent(tree, inode);
        const uint64_t first = tree_child(tree, holder, 0);
        snprintf(name, kTreeNameSize, "f%06ju.dat", (uintmax_t)(inode - first));
    }
}

static bool has_name(const struct tree* tree, uint64_t inode, const char* name) {
    char own[kTreeNameSize];
    tree_name(tree, inode, own);
    return strcmp(own, name) == 0;
}

uint64_t tree_lookup(const struct tree* tree, uint64_t directory, const char* name) {
    if (name[0] == '\0') return 0;
    const uint64_t children = tree_child_count(tree, directory);
    const uint64_t index = name[0] == 'c' ? children - 1 : strtoull(name + 1, NULL, 10);
    if (children == 0 || index >= children) return 0;
    const uint64_t child = tree_child(tree, directory, index);
    return has_name(tree, child, name) ? child : 0;
}

bool tree_has_path(const struct tree* tree, uint64_t inode, const char* path) {
    const char* slash = strrchr(path, '/');
    if (slash == NULL) return tree_parent(tree, inode) == kTreeRoot && has_name(tree, inode, path);
    if (!has_name(tree, inode, slash + 1)) return false;
    char* parent = strndup(path, (size_t)(slash - path));
    const bool same = parent != NULL && tree_has_path(tree, tree_parent(tree, inode), parent);
    free(parent);
    return same;
}

void tree_attributes(const struct tree* tree, uint64_t inode, struct stat* attributes) {
    const bool directory = tree_is_directory(tree, inode);
    memset(attributes, 0, sizeof *attributes);
    attributes->st_ino = inode;
    attributes->st_mode = directory ? S_IFDIR | 0755 : S_IFREG | 0640;
    attributes->st_nlink = directory ? 2 + subdirectory_count(tree, inode) : 1;
    attributes->st_size = directory ? 4096 : (off_t)(inode * UINT64_C(2654435761) % 1048576);
    attributes->st_blocks = (attributes->st_size + 511) / 512;
    attributes->st_blksize = 4096;
    attributes->st_uid = (uid_t)(1000 + inode % 7);
    attributes->st_gid = (gid_t)(100 + inode % 5);
    attributes->st_mtim.tv_sec = (time_t)(1600000000 + inode % 100000000);
    attributes->st_atim.tv_sec = attributes->st_mtim.tv_sec + 3600;
    attributes->st_ctim.tv_sec = attributes->st_mtim.tv_sec + 60;
}
