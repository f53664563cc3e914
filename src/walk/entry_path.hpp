#pragma once

#include <string>
#include <string_view>

#include "filetree/walk.hpp"

namespace filetree::walk {

// Full paths, one after the other in one buffer: each is valid until the next call.
class EntryPath {
   public:
    // Begins with the entries of a directory; returns what their paths have in common.
    std::string_view enter(const WalkedDirectory& directory) {
        path_.clear();
        directory.append_path(path_);
        path_.push_back('/');
        prefix_ = path_.size();
        return path_;
    }
    // Of an entry of the directory entered last.
    std::string_view of(std::string_view name) {
        path_.resize(prefix_);
        path_.append(name);
        return path_;
    }
    std::string_view of(const WalkedDirectory& directory) {
        path_.clear();
        directory.append_path(path_);
        return path_;
    }

   private:
    std::string path_;
    std::size_t prefix_ = 0;
};

}  // namespace filetree::walk
