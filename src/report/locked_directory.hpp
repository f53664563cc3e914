#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../fs/unique_fd.hpp"

namespace filetree::report {

// A directory for one process at a time, whose files survive a power cut once they are synced.
// Relative names are meant within it. Everything throws SystemError with the path.
class LockedDirectory {
   public:
    // Opens the directory, which is made if need be, and locks it by the file `lock`: EBUSY when
    // somebody else has it. `std::invalid_argument` when it has no such file and is not empty.
    LockedDirectory(std::string path, std::string lock);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] std::vector<std::string> names() const;

    // Empty, for writing.
    [[nodiscard]] UniqueFd create(const std::string& name) const;
    // Nothing: there is none.
    [[nodiscard]] std::optional<std::string> read(const std::string& name) const;
    [[nodiscard]] std::optional<std::uint64_t> size(const std::string& name) const;
    void write_synced(const std::string& name, std::string_view bytes) const;
    void rename(const std::string& from, const std::string& to) const;
    void unlink_if_there(const std::string& name) const;
    // After it, the names given and taken away survive a power cut.
    void sync() const;

    void unlock() noexcept { lock_ = UniqueFd(); }
    // The last that goes, so that what is left of a directory is known to be ours.
    void remove_lock() const { unlink_if_there(lock_name_); }

    [[noreturn]] void fail(int error, const std::string& name = {}) const;

   private:
    void take_lock();
    [[nodiscard]] bool lock_is_still_there() const;
    void sync_parent() const;

    std::string path_;
    std::string lock_name_;
    UniqueFd directory_;
    UniqueFd lock_;
};

}  // namespace filetree::report
