#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "filetree/repair.hpp"

namespace filetree::repair {

// Directories in which nothing is to be repaired; nor is anything if the top is "/".
inline constexpr std::array<std::string_view, 11> protected_directories = {
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/sbin", "/sys", "/usr"};

// Knows protected directories by path and, as paths can be led astray and directories be mounted
// elsewhere, by what they are.
class ProtectedDirectories {
   public:
    ProtectedDirectories(FileSystem& fs, CallContext& context);

    // The protected directory that a resolved path is or lies in; "/" for "/"; "" for none.
    [[nodiscard]] static std::string_view holding(std::string_view path) noexcept;
    // The one that an open directory is or lies in, whatever its path; "/" for the root.
    // Fails when it cannot be seen what is above it.
    [[nodiscard]] Result<std::string_view> holding(Directory& directory,
                                                   CallContext& context) const;
    // The one that this is. Not for the root.
    [[nodiscard]] std::string_view being(const Attributes& entry) const noexcept;
    // Whether a directory of the walk is one, or is below one.
    [[nodiscard]] bool hold(const WalkedDirectory* directory) const noexcept;

   private:
    struct Known {
        std::string_view path;
        std::uint64_t device;
        std::uint64_t inode;
    };
    std::vector<Known> known_;
};

// Throws SystemError, EOPNOTSUPP, about `name` where the system has no way to hold an entry without
// opening it: then nothing can be repaired, nor undone, without trusting names.
void require_pinning(const std::string& name);

// The path without symlinks, "." and ".." as far as it leads somewhere; absolute.
[[nodiscard]] std::string resolved(const std::string& path);

}  // namespace filetree::repair
