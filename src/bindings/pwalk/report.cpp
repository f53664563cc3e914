#include "filetree/report.hpp"

#include <nanobind/stl/optional.h>

#include "bindings.hpp"
#include "filetree/checkpoint.hpp"

namespace pwalk_bindings {
namespace {

using filetree::FileReport;
using filetree::Report;
using filetree::ReportOptions;
using filetree::TextOptions;
using filetree::WalkProgress;

}  // namespace

nb::list to_list(const std::vector<filetree::EntryError>& errors) {
    nb::list list;
    for (const filetree::EntryError& error : errors) {
        const std::string_view operation = to_string(error.operation);
        list.append(nb::make_tuple(to_bytes(error.path),
                                   nb::str(operation.data(), operation.size()), error.error));
    }
    return list;
}

namespace {

nb::list take_bad_paths(Report& report) {
    nb::list paths;
    for (const std::string& path : report.take_bad_paths()) paths.append(to_bytes(path));
    return paths;
}

}  // namespace

void bind_report(nb::module_& module) {
    nb::class_<WalkProgress>(module, "WalkProgress")
        .def_prop_ro("entries", &WalkProgress::entries)
        .def_ro("directories", &WalkProgress::directories)
        .def_prop_ro("kinds", &kinds_of<WalkProgress>)
        .def_ro("bytes", &WalkProgress::bytes)
        .def_ro("errors", &WalkProgress::errors)
        .def_ro("vanished", &WalkProgress::vanished)
        .def_ro("automount_points", &WalkProgress::automount_points)
        .def_ro("threads", &WalkProgress::threads)
        .def_ro("threads_peak", &WalkProgress::threads_peak)
        .def_ro("spilled", &WalkProgress::spilled)
        .def_prop_ro("elapsed",
                     [](const WalkProgress& self) {
                         return std::chrono::duration<double>(self.elapsed).count();
                     })
        .def_prop_ro("path", [](const WalkProgress& self) { return to_bytes(self.path); });

    nb::class_<Report>(module, "Report")
        .def(
            "wait_started",
            [](Report& self, double timeout) {
                const Unlocked unlocked;
                return self.wait_started(to_duration(timeout));
            },
            nb::arg("timeout"))
        .def("close", &Report::close, nb::call_guard<Unlocked>())
        .def("progress", &Report::progress)
        .def("errors", [](const Report& self) { return to_list(self.errors()); })
        .def("last_mark", &Report::last_mark)
        .def_prop_ro("clamped_times", [](const Report& self) { return self.notes().clamped_times; })
        .def("take_bad_paths", &take_bad_paths);

    nb::class_<FileReport, Report>(module, "FileReport")
        .def(
            "__init__",
            [](FileReport* self, const nb::bytes& top, const ReportOptions& options,
               const FileSystemHandle& handle, const TextOptions& text, int fd,
               const nb::bytes& name) {
                new (self)
                    FileReport(handle.fs, to_string(top), options, text, fd, to_string(name));
            },
            nb::arg("top"), nb::arg("options"), nb::arg("fs"), nb::arg("text"), nb::arg("fd"),
            nb::arg("name"))
        .def(
            "__init__",
            [](FileReport* self, const nb::bytes& top, const ReportOptions& options,
               const FileSystemHandle& handle, const TextOptions& text,
               const SharedCheckpoint& checkpoint) {
                new (self)
                    FileReport(handle.fs, to_string(top), options, text, checkpoint.checkpoint);
            },
            nb::arg("top"), nb::arg("options"), nb::arg("fs"), nb::arg("text"),
            nb::arg("checkpoint"))
        .def(
            "wait",
            [](FileReport& self, double timeout) {
                const Unlocked unlocked;
                return self.wait(to_duration(timeout));
            },
            nb::arg("timeout"));
}

}  // namespace pwalk_bindings
