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
    }
    return "unknown";
}

SystemError::SystemError(int error, std::string path)
    : std::runtime_error(path + ": " + std::strerror(error)),
      error_(error),
      path_(std::move(path)) {}

}  // namespace filetree
