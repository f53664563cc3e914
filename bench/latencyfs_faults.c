#define _GNU_SOURCE
#include "latencyfs_faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void faults_add(struct faults* faults, enum operation operation, const char* name, int error) {
    struct fault* list = realloc(faults->list, (faults->count + 1) * sizeof *list);
    if (list == NULL) {
        perror("latencyfs");
        exit(2);
    }
    list[faults->count++] = (struct fault){operation, name, error};
    faults->list = list;
}

static int error_number(const char* text) {
    const int number = atoi(text);
    if (number > 0) return number;
    for (int error = 1; error < 256; ++error) {
        const char* symbol = strerrorname_np(error);
        if (symbol != NULL && strcmp(symbol, text) == 0) return error;
    }
    return 0;
}

bool faults_parse(struct faults* faults, enum operation operation, char* text) {
    char* equals = strrchr(text, '=');
    const int error = equals != NULL ? error_number(equals + 1) : 0;
    if (error == 0) return false;
    *equals = '\0';
    faults_add(faults, operation, text, error);
    return true;
}

static bool concerns(const struct fault* fault, const struct tree* tree, uint64_t inode) {
    if (strchr(fault->name, '/') != NULL) return tree_has_path(tree, inode, fault->name);
    char name[kTreeNameSize];
    tree_name(tree, inode, name);
    return strcmp(fault->name, name) == 0;
}

int faults_find(const struct faults* faults, const struct tree* tree, enum operation operation,
                uint64_t inode) {
    for (unsigned i = 0; i < faults->count; ++i) {
        const struct fault* fault = &faults->list[i];
        if (fault->operation == operation && concerns(fault, tree, inode)) return fault->error;
    }
    return 0;
}
