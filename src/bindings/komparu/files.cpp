#include "bindings.hpp"

namespace komparu_bindings {

using filetree::CompareOptions;
using filetree::Comparison;
using filetree::FileComparison;
using filetree::Pool;

void bind_files(nb::module_& module) {
    nb::class_<CompareOptions>(module, "CompareOptions")
        .def(
            "__init__",
            [](CompareOptions* self, std::size_t chunk_size, bool size_precheck, bool quick_check,
               unsigned max_workers) {
                new (self) CompareOptions{chunk_size, size_precheck, quick_check, max_workers};
            },
            nb::kw_only(), nb::arg("chunk_size"), nb::arg("size_precheck"), nb::arg("quick_check"),
            nb::arg("max_workers") = 0);

    nb::class_<FileComparison, Comparison>(module, "FileComparison")
        .def(
            "__init__",
            [](FileComparison* self, Pool& pool, const nb::bytes& path_a, const nb::bytes& path_b,
               const CompareOptions& options) {
                new (self) FileComparison(pool, posix_file_system(), to_string(path_a),
                                          to_string(path_b), options);
            },
            nb::arg("pool"), nb::arg("path_a"), nb::arg("path_b"), nb::arg("options"))
        .def_prop_ro("equal", &FileComparison::equal)
        .def_prop_ro("bytes_read", &FileComparison::bytes_read);
}

}  // namespace komparu_bindings
