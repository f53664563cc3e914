#pragma once

#include <memory>

#include "filetree/fs.hpp"

namespace filetree {

// FileSystem::open_file of the machine's file system.
[[nodiscard]] Result<std::shared_ptr<File>> open_posix_file(const char* path);

// Directory::open_file of the directory behind a descriptor.
[[nodiscard]] Result<std::shared_ptr<File>> open_posix_file_at(int directory, const char* name,
                                                               bool follow);

}  // namespace filetree
