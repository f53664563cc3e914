#include "bindings.hpp"

namespace komparu_bindings {

using filetree::CompareOptions;
using filetree::Comparison;
using filetree::FileComparison;
using filetree::Pool;
using filetree::SourceKind;
using filetree::SourceProbe;

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
            [](FileComparison* self, Pool& pool, const nb::object& a, const nb::object& b,
               const CompareOptions& options) {
                new (self)
                    FileComparison(pool, posix_file_system(), to_source(a), to_source(b), options);
            },
            nb::arg("pool"), nb::arg("a"), nb::arg("b"), nb::arg("options"))
        .def_prop_ro("equal", &FileComparison::equal)
        .def_prop_ro("bytes_read", &FileComparison::bytes_read);

    nb::class_<SourceProbe, Comparison>(module, "SourceProbe")
        .def(
            "__init__",
            [](SourceProbe* self, Pool& pool, const nb::object& source) {
                new (self) SourceProbe(pool, posix_file_system(), to_source(source));
            },
            nb::arg("pool"), nb::arg("source"))
        .def_prop_ro("kind", [](const SourceProbe& self) {
            switch (self.kind()) {
                case SourceKind::directory:
                    return "directory";
                case SourceKind::archive:
                    return "archive";
                case SourceKind::file:
                    break;
            }
            return "file";
        });
}

}  // namespace komparu_bindings
