#pragma once

#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include "support/temporary_directory.hpp"

namespace filetree::testing {

// Takes all content from the files without a name that this process has open in `directory`.
// Returns how many there were.
inline std::size_t truncate_spilled_files(const TemporaryDirectory& directory) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;  // others open and close theirs meanwhile
        const std::string target = std::filesystem::read_symlink(entry.path(), gone).native();
        if (!target.starts_with(directory.path() + "/")) continue;
        if (::truncate(entry.path().c_str(), 0) == 0) ++count;
    }
    return count;
}

}  // namespace filetree::testing
