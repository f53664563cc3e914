#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "calls.hpp"
#include "filetree/fs.hpp"

namespace filetree {

using calls::StorageFacts;

// Remembers them for the files of one directory, which mostly are on one device.
//
// Threads: any.
class StorageMemory {
   public:
    [[nodiscard]] StorageFacts of(int fd, std::uint64_t device);

   private:
    std::atomic<std::uint64_t> packed_{0};  // the device, and a bit for each fact; no device is 0
};

// FileSystem::open_file of the machine's file system.
[[nodiscard]] Result<std::shared_ptr<File>> open_posix_file(const char* path);

// Directory::open_file of the directory behind a descriptor.
[[nodiscard]] Result<std::shared_ptr<File>> open_posix_file_at(int directory, const char* name,
                                                               bool follow, StorageMemory& memory);

}  // namespace filetree
