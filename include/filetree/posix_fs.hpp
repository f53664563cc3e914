#pragma once

// The file system of the machine: openat, getdents64 and statx (where there is no Linux, readdir
// and fstatat), always relative to the parent's descriptor, so that neither PATH_MAX nor a
// directory swapped for a symlink matters.

#include <memory>

#include "filetree/fs.hpp"

namespace filetree {

struct PosixOptions {
    // Ask network file systems for the attributes that they hold already (AT_STATX_DONT_SYNC)
    // in place of asking the server for each.
    bool cached_attributes = false;
    // Descriptors that may be used; 0 takes what RLIMIT_NOFILE leaves at the time of the call.
    std::size_t descriptor_budget = 0;
};

[[nodiscard]] std::shared_ptr<FileSystem> make_posix_file_system(const PosixOptions& options = {});

}  // namespace filetree
