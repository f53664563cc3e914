#pragma once

// One directory read at once, by path, and what is needed to tell later whether it still is so.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "filetree/fs.hpp"

namespace filetree::walk {

struct ListedDirectory {
    Listing names;          // no type is unknown unless an lstat failed
    Attributes attributes;  // of the directory, before it was read
    bool dates_changes = false;
    // It had not changed for the settling time: an equal directory has an equal listing.
    bool settled = false;
    int error = 0;  // ECANCELED: given up, because `go_on` said so
};

struct ListingRules {
    bool ignore_snapshots = true;
    std::chrono::nanoseconds settling_time{0};
};

// Called between two reads with the memory that the names occupy.
using GoOn = std::function<bool(std::size_t footprint)>;

[[nodiscard]] ListedDirectory list_directory(FileSystem& fs, const std::string& path, bool follow,
                                             const ListingRules& rules, CallContext& context,
                                             const GoOn& go_on = {});

// Whether `listed` is what the directory would be listed as now; `now` is its stat.
[[nodiscard]] bool is_current(const ListedDirectory& listed, const StatResult& now) noexcept;

// What is to be entered of a directory at `path`: indices of directories, and with `followlinks`
// of symlinks that lead to one.
[[nodiscard]] std::vector<std::uint32_t> subdirectories(FileSystem& fs, const std::string& path,
                                                        const Listing& names, bool followlinks,
                                                        CallContext& context);

// Follows the symlinks among `names`: those that lead to directories become directories. Returns
// what is to be entered, as subdirectories() does.
[[nodiscard]] std::vector<std::uint32_t> resolve_links(FileSystem& fs, const std::string& path,
                                                       bool followlinks, bool ignore_snapshots,
                                                       Listing& names, CallContext& context);

}  // namespace filetree::walk
