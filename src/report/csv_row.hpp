#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "byte_buffer.hpp"
#include "filetree/fs.hpp"

namespace filetree::report {

// The line that names the columns, as pwalk 3.0 writes it.
extern const std::string_view csv_header;

// A number with the comma before it, as text that is kept while the number stays the same: most
// rows have the owner, the device and some of the times of the row before.
class RepeatedField {
   public:
    // What is copied, whatever the length: a comma and 20 characters at most, and the rest is not
    // looked at.
    static constexpr std::size_t width = 24;

    // Returns the end of the text; there must be room for `width`.
    char* write(std::int64_t value, char* at) noexcept {
        if (value != value_) set(value);
        std::memcpy(at, text_.data(), width);
        return at + length_;
    }

   private:
    void set(std::int64_t value) noexcept;

    std::int64_t value_ = 0;
    std::size_t length_ = 2;
    std::array<char, width> text_{",0"};
};

// Writes rows as pwalk 3.0 (John Dey's) does.
class CsvRow {
   public:
    // What the rows to come have in common: `path` is what comes before each name.
    void set_place(std::uint64_t parent_inode, std::int32_t depth, std::string_view path);
    // Appends one row, newline included.
    void append(const Attributes& attributes, std::string_view name, std::string_view extension,
                std::int64_t file_count, std::int64_t dir_sum, ByteBuffer& out);

   private:
    std::string place_;  // what follows the inode, up to where the name begins
    RepeatedField uid_;
    RepeatedField gid_;
    RepeatedField device_;
    RepeatedField links_;
    RepeatedField atime_;
    RepeatedField mtime_;
    RepeatedField ctime_;
};

}  // namespace filetree::report
