#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "byte_buffer.hpp"
#include "filetree/fs.hpp"

namespace filetree::report {

// The line that names the columns, as pwalk 3.0 writes it.
extern const std::string_view csv_header;

// Writes rows as pwalk 3.0 (John Dey's) does.
class CsvRow {
   public:
    // What the rows to come have in common: `path` is what comes before each name.
    void set_place(std::uint64_t parent_inode, std::int32_t depth, std::string_view path);
    // Appends one row, newline included.
    void append(const Attributes& attributes, std::string_view name, std::string_view extension,
                std::int64_t file_count, std::int64_t dir_sum, ByteBuffer& out) const;

   private:
    std::string place_;  // what follows the inode, up to where the name begins
};

}  // namespace filetree::report
