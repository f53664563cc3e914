#include "../gil.hpp"
#include "bindings.hpp"

namespace komparu_bindings {

using filetree::ArchiveComparison;
using filetree::ArchiveOptions;
using filetree::CompareError;
using filetree::Comparison;
using filetree::Pool;

void bind_archives(nb::module_& module) {
    nb::class_<ArchiveOptions>(module, "ArchiveOptions")
        .def(
            "__init__",
            [](ArchiveOptions* self, std::size_t chunk_size, std::uint64_t max_decompressed_size,
               std::uint64_t max_compression_ratio, std::uint64_t max_entries,
               std::uint64_t max_name_length, bool hash_compare) {
                new (self) ArchiveOptions{chunk_size,  max_decompressed_size, max_compression_ratio,
                                          max_entries, max_name_length,       hash_compare};
            },
            nb::kw_only(), nb::arg("chunk_size"), nb::arg("max_decompressed_size"),
            nb::arg("max_compression_ratio"), nb::arg("max_entries"), nb::arg("max_name_length"),
            nb::arg("hash_compare"));

    nb::class_<ArchiveComparison, Comparison>(module, "ArchiveComparison")
        .def(
            "__init__",
            [](ArchiveComparison* self, Pool& pool, const nb::bytes& path_a,
               const nb::bytes& path_b, const ArchiveOptions& options) {
                new (self) ArchiveComparison(pool, posix_file_system(), to_string(path_a),
                                             to_string(path_b), options);
            },
            nb::arg("pool"), nb::arg("path_a"), nb::arg("path_b"), nb::arg("options"))
        .def("differences",
             [](const ArchiveComparison& self) { return to_tuple(self.differences()); });

    // What keeps it from an answer is returned, as Comparison.failure() does.
    module.def(
        "is_archive",
        [](const nb::bytes& path) -> nb::object {
            const std::string name = to_string(path);
            bool answer = false;
            try {
                const bindings::Unlocked unlocked;
                answer = filetree::is_archive(*posix_file_system(), name);
            } catch (const CompareError& error) {
                return to_tuple(error);
            }
            return nb::bool_(answer);
        },
        nb::arg("path"));
}

}  // namespace komparu_bindings
