#pragma once

// The error vocabulary of the core.
//
// Inside the core a failure is a value: an errno (0 means success) or a Result<T>. At the edge,
// when a call cannot begin at all, it is a SystemError; of comparisons a CompareError
// (compare.hpp), of transfers a HttpError (http.hpp). Failures met on the way through a tree are
// collected as EntryError values; none of them ends a walk.

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace filetree {

// Whether the process, or the system, has no descriptor left: an errno that may pass.
[[nodiscard]] constexpr bool is_out_of_descriptors(int error) noexcept {
    return error == EMFILE || error == ENFILE;
}

// What was being done to an entry when it failed.
enum class Operation : unsigned char { open, read, stat, encode, chown, chmod, inherit, undo };

[[nodiscard]] std::string_view to_string(Operation operation) noexcept;

// One failure met during a walk. `error` is an errno value; `path` is raw bytes as listed.
struct EntryError {
    std::string path;
    Operation operation;
    int error;
};

// A value or an errno. `error` is 0 exactly when `value` may be used.
template <class T>
struct Result {
    T value{};
    int error = 0;

    [[nodiscard]] bool ok() const noexcept { return error == 0; }

    [[nodiscard]] static Result success(T value) { return {std::move(value), 0}; }
    [[nodiscard]] static Result failure(int error) { return {T{}, error}; }
};

// A call could not begin, or cannot go on, because of the system: errno and the path it concerns.
class SystemError : public std::runtime_error {
   public:
    // `reason` is said in place of the system's text for the errno when it is not empty.
    SystemError(int error, std::string path, std::string reason = {});

    [[nodiscard]] int error() const noexcept { return error_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

   private:
    int error_;
    std::string path_;
    std::string reason_;
};

}  // namespace filetree
