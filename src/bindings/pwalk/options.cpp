#include <nanobind/stl/vector.h>

#include <vector>

#include "bindings.hpp"
#include "filetree/report.hpp"

namespace pwalk_bindings {

using filetree::Compression;
using filetree::ReportOptions;
using filetree::TextFormat;
using filetree::TextOptions;

void bind_options(nb::module_& module) {
    nb::class_<ReportOptions>(module, "ReportOptions")
        .def(
            "__init__",
            [](ReportOptions* self, unsigned max_threads, unsigned max_inflight,
               double stall_timeout, bool ignore_snapshots, bool one_file_system,
               unsigned max_depth, const std::vector<nb::bytes>& exclude,
               std::size_t buffer_threshold, const nb::bytes& spill_directory) {
                new (self) ReportOptions();
                self->walk.max_threads = max_threads;
                self->walk.max_inflight = max_inflight;
                self->walk.stall_timeout = to_duration(stall_timeout);
                self->walk.ignore_snapshots = ignore_snapshots;
                self->walk.one_file_system = one_file_system;
                self->walk.max_depth = max_depth;
                for (const nb::bytes& path : exclude) {
                    self->walk.exclude.push_back(to_string(path));
                }
                self->buffer_threshold = buffer_threshold;
                self->spill_directory = to_string(spill_directory);
            },
            nb::kw_only(), nb::arg("max_threads"), nb::arg("max_inflight"),
            nb::arg("stall_timeout"), nb::arg("ignore_snapshots"), nb::arg("one_file_system"),
            nb::arg("max_depth"), nb::arg("exclude"), nb::arg("buffer_threshold"),
            nb::arg("spill_directory"));

    nb::enum_<TextFormat>(module, "TextFormat")
        .value("csv", TextFormat::csv)
        .value("lines", TextFormat::lines)
        .value("nul_terminated", TextFormat::nul_terminated)
        .value("binary", TextFormat::binary);
    nb::enum_<Compression>(module, "Compression")
        .value("none", Compression::none)
        .value("zstd", Compression::zstd)
        .value("gzip", Compression::gzip);

    nb::class_<TextOptions>(module, "TextOptions")
        .def(
            "__init__",
            [](TextOptions* self, TextFormat format, Compression compression, bool header,
               bool directories, bool others) {
                new (self) TextOptions{format, compression, header, directories, others};
            },
            nb::kw_only(), nb::arg("format"), nb::arg("compression") = Compression::none,
            nb::arg("header") = true, nb::arg("directories") = true, nb::arg("others") = true);
}

}  // namespace pwalk_bindings
