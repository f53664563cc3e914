#include <limits>

#include "bindings.hpp"
#include "filetree/posix_fs.hpp"
#include "filetree/synthetic_fs.hpp"

namespace pwalk_bindings {

using filetree::SyntheticTree;

void bind_file_system(nb::module_& module) {
    nb::class_<SyntheticTree>(module, "SyntheticTree")
        .def(
            "__init__",
            [](SyntheticTree* self, std::uint64_t files, bool flat) {
                if (!flat) {
                    new (self) SyntheticTree(filetree::synthetic_tree_of(files));
                    return;
                }
                if (files > std::numeric_limits<std::uint32_t>::max()) {
                    throw nb::value_error("a directory has fewer than 2**32 files");
                }
                const auto all = static_cast<std::uint32_t>(files);
                new (self) SyntheticTree{.directories = 0, .files = all, .depth = 0};
            },
            nb::arg("files"), nb::arg("flat") = false)
        .def_prop_ro("total_files", &SyntheticTree::total_files)
        .def_prop_ro("total_directories", &SyntheticTree::total_directories);

    nb::class_<FileSystemHandle>(module, "FileSystem");
    module.def(
        "posix_file_system",
        [](bool cached_attributes) {
            return FileSystemHandle{filetree::make_posix_file_system({cached_attributes})};
        },
        nb::arg("cached_attributes") = false);
    module.def(
        "synthetic_file_system",
        [](const SyntheticTree& tree, const nb::bytes& root) {
            return FileSystemHandle{filetree::make_synthetic_file_system(tree, to_string(root))};
        },
        nb::arg("tree"), nb::arg("root"));
}

}  // namespace pwalk_bindings
