#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "filetree/compare.hpp"
#include "filetree/fs.hpp"
#include "source.hpp"

namespace filetree::compare {

// What an errno means for a source at a path: not_found, or unreadable.
[[noreturn]] void fail_at(int error, const std::string& path, const char* what = "");

// A file being read.
class FileSource final : public Source {
   public:
    // Throws CompareError: not_found, or unreadable for whatever else, such as a directory
    // (EISDIR).
    FileSource(FileSystem& fs, const std::string& path);
    // `name` is what messages call it.
    FileSource(std::string name, std::shared_ptr<File> file);

    [[nodiscard]] const std::string& name() const noexcept override { return name_; }
    // Nothing where it cannot be trusted: 0, or a view into the kernel.
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept override { return size_; }
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<char> out) override;
    void check_unchanged() override;

    // What it was when it was opened.
    [[nodiscard]] const Attributes& seen() const noexcept { return seen_; }
    // Throws when it is not the file, or not as the file, that was opened earlier.
    void expect(const Attributes& earlier);

    [[nodiscard]] bool is_same_as(const FileSource& other) const noexcept;
    // Whether parts of it may have no storage.
    [[nodiscard]] bool may_have_holes() const noexcept;
    // The first place at or after `offset` that has storage.
    [[nodiscard]] std::optional<std::uint64_t> next_data(std::uint64_t offset) const {
        return file_->next_data(offset);
    }

    // Whether two files of one size are stored in the very same extents, so that their contents are
    // the same. False also when that cannot be told.
    friend bool share_all_extents(const FileSource& a, const FileSource& b);

   private:
    std::string name_;
    std::shared_ptr<File> file_;
    Attributes seen_;
    std::optional<std::uint64_t> size_;
};

}  // namespace filetree::compare
