#pragma once

// The calls of the seam that differ between systems. CMake takes one implementation: linux/, or
// portable/, which keeps to what POSIX and macOS share. What other rooms need is in platform.hpp.

#include <dirent.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "filetree/fs.hpp"
#include "unique_fd.hpp"

namespace filetree::calls {

// What one file system object has learned about the kernel; shared by its directories.
struct Abilities {
    explicit Abilities(bool cached_attributes) : dont_sync(cached_attributes) {}

    std::atomic<bool> noatime{true};    // until the kernel says EPERM
    std::atomic<bool> statx{true};      // until the kernel says ENOSYS, or seccomp EPERM
    std::atomic<bool> dont_sync;        // until the kernel says EINVAL
    std::atomic<bool> fchmodat2{true};  // until the kernel says ENOSYS, or seccomp EPERM
};

// lstat of `name` in `directory`; of what it leads to when `follow`. Return an errno.
[[nodiscard]] int stat_at(Abilities& abilities, int directory, const char* name, bool follow,
                          StatMask mask, Attributes& out) noexcept;
[[nodiscard]] int stat_descriptor(Abilities& abilities, int fd, Attributes& out) noexcept;

[[nodiscard]] Result<UniqueFd> open_directory(Abilities& abilities, int at, const char* path,
                                              bool follow);

// Owns a directory's descriptor, and knows the place in its listing.
class DirectoryFd {
   public:
    explicit DirectoryFd(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
    DirectoryFd(const DirectoryFd&) = delete;
    DirectoryFd& operator=(const DirectoryFd&) = delete;
    ~DirectoryFd();

    [[nodiscard]] int get() const noexcept { return fd_.get(); }
    // Directory::read; `scratch` has CallContext::scratch_size bytes. The errno is that of the
    // call.
    [[nodiscard]] Result<bool> read(Listing& out, char* scratch);

   private:
    UniqueFd fd_;
    DIR* stream_ = nullptr;  // where names come through readdir(3); it owns the descriptor, too
};

// Directory::pin: a descriptor that is good for the calls below. EOPNOTSUPP where the system has
// none that does without opening the entry.
[[nodiscard]] Result<UniqueFd> pin(int directory, const char* name);

// Of what a descriptor of a directory or from pin() holds.
[[nodiscard]] Result<bool> has_attribute(int fd, const char* name);
[[nodiscard]] int change_group(int fd, std::uint32_t gid) noexcept;
[[nodiscard]] int change_mode(Abilities& abilities, int fd, std::uint32_t mode) noexcept;
// Directory::path.
[[nodiscard]] std::string path_of(int fd);

// Of the file system that a file is on.
struct StorageFacts {
    bool true_sizes;      // sizes say how much there is to read
    bool shares_extents;  // files may have extents in common
};
[[nodiscard]] StorageFacts storage_facts(int fd);
[[nodiscard]] bool dates_changes(int directory);

// File::next_data, and File::shared_extents of a file of `size` bytes.
[[nodiscard]] std::optional<std::uint64_t> next_data(int fd, std::uint64_t offset);
[[nodiscard]] std::vector<Extent> shared_extents(int fd, std::uint64_t size, bool sync);

// Whether a character device is /dev/null.
[[nodiscard]] bool is_null_device(dev_t device);

// FileSystem::has_mounts_below.
[[nodiscard]] bool has_mounts_below(const std::string& path);
// Of this process.
[[nodiscard]] std::size_t open_descriptors();

}  // namespace filetree::calls
