#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "filetree/walk.hpp"

namespace filetree::walk {

// What directories of snapshots are called by the servers that show them.
constexpr std::string_view snapshot_name = ".snapshot";

// The excluded paths below one directory, as a tree of names: a directory without a node in it has
// nothing excluded, so most names are never compared at all.
class ExcludedNames {
   public:
    // Whether the entry called `name` itself is excluded.
    [[nodiscard]] bool excludes(std::string_view name) const noexcept;
    // What is excluded below the subdirectory called `name`; null where nothing is.
    [[nodiscard]] const ExcludedNames* below(std::string_view name) const noexcept;

    void add(const std::vector<std::string>& components);

   private:
    bool excluded_ = false;
    std::map<std::string, std::unique_ptr<ExcludedNames>, std::less<>> children_;
};

// Which entries a walk reports and which directories it enters.
//
// Paths are compared by components, as absolute ones, with "." and repeated slashes dropped; ".."
// is an ordinary component, because only the file system knows where it leads.
class Selection {
   public:
    // Throws std::invalid_argument when an excluded path is the top itself or is empty.
    Selection(const WalkOptions& options, const std::string& top);

    // What is excluded among the top's names; null where nothing is.
    [[nodiscard]] const ExcludedNames* excluded() const noexcept { return root_.get(); }
    [[nodiscard]] bool on_allowed_mount(const Attributes& entry,
                                        const Attributes& top) const noexcept {
        return !one_file_system_ || entry.mount_id == top.mount_id;
    }
    // Whether a subdirectory at `depth` (0 below the top), called `name`, is reported and entered.
    [[nodiscard]] bool enters(const ExcludedNames* excluded, std::string_view name,
                              std::int32_t depth) const noexcept;
    [[nodiscard]] bool needs_mounts() const noexcept { return one_file_system_; }

   private:
    bool ignore_snapshots_;
    bool one_file_system_;
    std::int64_t max_depth_;
    std::unique_ptr<ExcludedNames> root_;
};

}  // namespace filetree::walk
