#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../gil.hpp"
#include "../values.hpp"
#include "filetree/checkpoint.hpp"

namespace pwalk_bindings {

namespace nb = nanobind;
using bindings::Locked;
using bindings::to_bytes;
using bindings::to_duration;
using bindings::to_string;
using bindings::Unlocked;

// One for each subject.
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

// Runs Python's signal handlers. Called without the GIL; throws what they raise.
inline void check_signals() {
    const Locked locked;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

// How many there are of each kind.
template <class Counts>
nb::list kinds_of(const Counts& counts) {
    nb::list kinds;
    for (const std::uint64_t count : counts.kinds) kinds.append(count);
    return kinds;
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

}  // namespace pwalk_bindings
