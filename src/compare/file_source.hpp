#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "filetree/compare.hpp"
#include "filetree/fs.hpp"

namespace filetree::compare {

// A file being read, which must not change meanwhile. Reads from any thread, at any offset.
class FileSource {
   public:
    // Throws CompareError: not_found, or unreadable for whatever else, such as a directory
    // (EISDIR).
    FileSource(FileSystem& fs, const std::string& path);

    // Nothing where it cannot be trusted: 0, or a view into the kernel.
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept { return size_; }
    [[nodiscard]] bool is_same_as(const FileSource& other) const noexcept;
    // Whether parts of it may have no storage.
    [[nodiscard]] bool may_have_holes() const noexcept;

    // Fills `out` from `offset` on; fewer bytes only at the end of the file. Throws CompareError.
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<char> out) const;
    [[nodiscard]] std::optional<std::uint64_t> next_data(std::uint64_t offset) const {
        return file_->next_data(offset);
    }
    // Throws CompareError when the file is not what it was when it was opened.
    void check_unchanged() const;

    // Whether two files of one size are stored in the very same extents, so that their contents are
    // the same. False also when that cannot be told.
    friend bool share_all_extents(const FileSource& a, const FileSource& b);

   private:
    std::string path_;
    std::shared_ptr<File> file_;
    Attributes seen_;
    std::optional<std::uint64_t> size_;
};

}  // namespace filetree::compare
