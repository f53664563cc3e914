#pragma once

#include <string>
#include <string_view>

#include "record_batch.hpp"

namespace filetree::report {

// Appends rows whose path may be anything: what is not UTF-8 is escaped, and kept in filename_raw.
class PathRow {
   public:
    // `row` has everything but its path. Returns how many of the times had to be clamped.
    unsigned append(Row row, std::string_view path, bool path_is_utf8, RecordBatch& batch);

   private:
    std::string path_;
    std::string extension_;
};

}  // namespace filetree::report
