#include "filetree/error.hpp"

#include <cstring>

namespace filetree {

std::string_view to_string(Operation operation) noexcept {
    switch (operation) {
        case Operation::open:
            return "open";
        case Operation::read:
            return "read";
        case Operation::stat:
            return "stat";
        case Operation::encode:
            return "encode";
        case Operation::chown:
            return "chown";
        case Operation::chmod:
            return "chmod";
        case Operation::inherit:
            return "inherit";
        case Operation::undo:
            return "undo";
    }
    return "unknown";
}

SystemError::SystemError(int error, std::string path, std::string reason)
    : std::runtime_error(path + ": " + (reason.empty() ? std::strerror(error) : reason)),
      error_(error),
      path_(std::move(path)),
      reason_(reason.empty() ? std::strerror(error) : std::move(reason)) {}

}  // namespace filetree
