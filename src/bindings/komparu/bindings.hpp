#pragma once

// What the files of this extension module share: one bind_… for each kind of comparison.

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <vector>

#include "../values.hpp"
#include "filetree/compare.hpp"
#include "filetree/fs.hpp"

namespace komparu_bindings {

namespace nb = nanobind;
using bindings::to_bytes;
using bindings::to_string;

[[nodiscard]] std::vector<std::string> to_strings(const nb::list& list);

// A path as bytes, or a pair of a URL and its HttpOptions.
[[nodiscard]] filetree::SourceRef to_source(const nb::object& source);

// Keeps nothing but what it has learned about the kernel.
[[nodiscard]] std::shared_ptr<filetree::FileSystem> posix_file_system();

// (diff, only_left, only_right, errors, skipped): lists of bytes, those of diff and errors in pairs
// with the reason's name and the message.
[[nodiscard]] nb::tuple to_tuple(const filetree::Differences& differences);

// (failure, errno, path, message).
[[nodiscard]] nb::tuple to_tuple(const filetree::CompareError& error);

void bind_archives(nb::module_& module);
void bind_files(nb::module_& module);
void bind_groups(nb::module_& module);
void bind_http(nb::module_& module);
void bind_trees(nb::module_& module);

}  // namespace komparu_bindings
