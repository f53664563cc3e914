#pragma once

#include <string>
#include <string_view>

#include "record_batch.hpp"

namespace filetree::report {

// Rows whose path is not UTF-8, one after the other: path and extension are escaped, and the path
// as it was is filename_raw.
class EscapedRow {
   public:
    // `row`, whose path begins with `prefix` and which has no filename_raw yet, as it can be
    // appended, with no prefix any more, until the next call.
    [[nodiscard]] Row of(std::string_view prefix, Row row);

   private:
    std::string filename_;
    std::string extension_;
    std::string filename_raw_;
};

}  // namespace filetree::report
