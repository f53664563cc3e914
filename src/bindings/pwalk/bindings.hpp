#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "../gil.hpp"
#include "filetree/checkpoint.hpp"

namespace pwalk_bindings {

namespace nb = nanobind;
using bindings::Locked;
using bindings::Unlocked;

// One for each bound class.
void bind_arrow_stream(nb::module_& module);
void bind_checkpoint(nb::module_& module);
void bind_file_system(nb::module_& module);
void bind_options(nb::module_& module);
void bind_ordered_walk(nb::module_& module);
void bind_output_file(nb::module_& module);
void bind_pwal(nb::module_& module);
void bind_repair(nb::module_& module);
void bind_report(nb::module_& module);
void bind_scan(nb::module_& module);

inline std::string to_string(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }
inline nb::bytes to_bytes(const std::string& string) {
    return nb::bytes(string.data(), string.size());
}

// (path, operation, errno) of each.
[[nodiscard]] nb::list to_list(const std::vector<filetree::EntryError>& errors);

// A file system as Python hands it around. The core gets the pointer inside: one that held a Python
// object would have a thread of the core drop it.
struct FileSystemHandle {
    std::shared_ptr<filetree::FileSystem> fs;
};

// A checkpoint, likewise.
struct SharedCheckpoint {
    std::shared_ptr<filetree::Checkpoint> checkpoint;
};
[[nodiscard]] inline std::shared_ptr<filetree::Checkpoint> shared(const SharedCheckpoint* handle) {
    return handle != nullptr ? handle->checkpoint : nullptr;
}

// A duration given in seconds.
inline std::chrono::nanoseconds to_duration(double seconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds));
}

}  // namespace pwalk_bindings
