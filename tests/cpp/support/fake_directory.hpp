#pragma once

#include <string>
#include <utility>

#include "filetree/walk.hpp"

namespace filetree::testing {

// A directory as sinks see it, with whatever a test gives it.
class FakeDirectory final : public WalkedDirectory {
   public:
    FakeDirectory(std::string path, const Attributes& attributes, std::int32_t depth,
                  std::uint64_t parent_inode, const WalkedDirectory* above = nullptr)
        : path_(std::move(path)),
          attributes_(attributes),
          depth_(depth),
          parent_inode_(parent_inode),
          above_(above) {}

    [[nodiscard]] const Attributes& attributes() const noexcept override { return attributes_; }
    [[nodiscard]] std::int32_t depth() const noexcept override { return depth_; }
    [[nodiscard]] std::uint64_t parent_inode() const noexcept override { return parent_inode_; }
    [[nodiscard]] std::string_view name() const noexcept override {
        return std::string_view(path_).substr(path_.rfind('/') + 1);
    }
    [[nodiscard]] const WalkedDirectory* above() const noexcept override { return above_; }
    void append_path(std::string& out) const override { out += path_; }

   private:
    std::string path_;
    Attributes attributes_;
    std::int32_t depth_;
    std::uint64_t parent_inode_;
    const WalkedDirectory* above_;
};

// Attributes that differ from field to field, so that a confusion shows.
inline Attributes file_attributes() {
    Attributes a;
    a.inode = 1001;
    a.device = 64769;
    a.mount_id = 31;
    a.size = 4097;
    a.blocks = 16;
    a.links = 1;
    a.atime = {1'600'000'001, 111'222'333};
    a.mtime = {1'600'000'002, 444'555'666};
    a.ctime = {1'600'000'003, 777'888'999};
    a.mode = 0100644;
    a.uid = 1234;
    a.gid = 5678;
    return a;
}

inline Attributes directory_attributes() {
    Attributes a = file_attributes();
    a.inode = 2002;
    a.size = 4096;
    a.blocks = 8;
    a.links = 3;
    a.mode = 0040755;
    return a;
}

}  // namespace filetree::testing
