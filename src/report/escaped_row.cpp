#include "escaped_row.hpp"

#include "../fs/utf8.hpp"

namespace filetree::report {

Row EscapedRow::of(std::string_view prefix, Row row) {
    filename_raw_.assign(prefix).append(row.filename);
    filename_.clear();
    append_escaped(filename_raw_, filename_);
    row.filename = filename_;
    row.filename_raw = filename_raw_;
    if (row.extension.data() != nullptr) {
        extension_.clear();
        append_escaped(row.extension, extension_);
        row.extension = extension_;
    }
    return row;
}

}  // namespace filetree::report
