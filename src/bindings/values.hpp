#pragma once

// Values of Python's as the core's, and back. All but to_duration() are called with the GIL held.

#include <nanobind/nanobind.h>

#include <chrono>
#include <string>

namespace bindings {

[[nodiscard]] inline std::string to_string(const nanobind::bytes& bytes) {
    return {bytes.c_str(), bytes.size()};
}
[[nodiscard]] inline nanobind::bytes to_bytes(const std::string& string) {
    return nanobind::bytes(string.data(), string.size());
}
// A duration given in seconds.
[[nodiscard]] inline std::chrono::nanoseconds to_duration(double seconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds));
}

}  // namespace bindings
