#pragma once

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "filetree/error.hpp"

namespace filetree {

// A symlink's text, however long.
inline Result<std::string> read_link_at(int directory, const char* name) {
    std::string text(256, '\0');
    for (;;) {
        const ssize_t length = ::readlinkat(directory, name, text.data(), text.size());
        if (length < 0) return Result<std::string>::failure(errno);
        const auto used = static_cast<std::size_t>(length);
        const bool whole = used < text.size();
        text.resize(whole ? used : 2 * text.size());
        if (whole) return {std::move(text), 0};
    }
}

}  // namespace filetree
