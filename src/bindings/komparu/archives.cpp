#include "bindings.hpp"

namespace komparu_bindings {

using filetree::ArchiveComparison;
using filetree::ArchiveOptions;
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
            [](ArchiveComparison* self, Pool& pool, const nb::object& a, const nb::object& b,
               const ArchiveOptions& options) {
                new (self) ArchiveComparison(pool, posix_file_system(), to_source(a), to_source(b),
                                             options);
            },
            nb::arg("pool"), nb::arg("a"), nb::arg("b"), nb::arg("options"))
        .def("differences",
             [](const ArchiveComparison& self) { return to_tuple(self.differences()); });
}

}  // namespace komparu_bindings
