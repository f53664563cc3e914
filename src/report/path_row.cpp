#include "path_row.hpp"

#include "../fs/utf8.hpp"

namespace filetree::report {

unsigned PathRow::append(Row row, std::string_view path, bool path_is_utf8, RecordBatch& batch) {
    row.filename = path;
    if (!path_is_utf8) {
        path_.clear();
        append_escaped(path, path_);
        row.filename = path_;
        row.filename_raw = path;
        if (row.extension.data() != nullptr) {
            extension_.clear();
            append_escaped(row.extension, extension_);
            row.extension = extension_;
        }
    }
    return batch.append(row);
}

}  // namespace filetree::report
