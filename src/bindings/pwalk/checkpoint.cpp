#include "filetree/checkpoint.hpp"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"

namespace pwalk_bindings {
namespace {

using filetree::Checkpoint;
using filetree::Mark;
using filetree::TextOptions;

// Paths of the parts that have rows.
nb::list paths_of(const SharedCheckpoint& self) {
    nb::list paths;
    for (const Checkpoint::Part& part : self.checkpoint->parts()) {
        if (part.bytes > 0) paths.append(to_bytes(self.checkpoint->path_of(part)));
    }
    return paths;
}

void write_parts(const SharedCheckpoint& self, const TextOptions& text, int fd,
                 const nb::bytes& name) {
    const std::string file_name = to_string(name);
    const Unlocked unlocked;
    filetree::write_parts(*self.checkpoint, text, fd, file_name, [] {
        check_signals();
        return true;
    });
}

}  // namespace

void bind_checkpoint(nb::module_& module) {
    using Self = SharedCheckpoint;
    using WithoutGil = nb::call_guard<Unlocked>;
    nb::class_<Mark>(module, "Mark").def_ro("last", &Mark::last);

    nb::class_<SharedCheckpoint>(module, "Checkpoint")
        .def(
            "__init__",
            [](SharedCheckpoint* self, const nb::bytes& directory, const std::string& suffix,
               const Checkpoint::Identity& identity, bool resume, double interval) {
                const std::string path = to_string(directory);
                const Unlocked unlocked;
                new (self) SharedCheckpoint{std::make_shared<Checkpoint>(
                    path, suffix, identity, resume, to_duration(interval))};
            },
            nb::arg("directory"), nb::arg("suffix"), nb::arg("identity"), nb::arg("resume"),
            nb::arg("interval"))
        .def_prop_ro("complete", [](const Self& self) { return self.checkpoint->complete(); })
        .def_prop_ro("stopping", [](const Self& self) { return self.checkpoint->stopping(); })
        .def_prop_ro("due", [](const Self& self) { return self.checkpoint->due(); })
        .def_prop_ro("started", [](const Self& self) { return self.checkpoint->totals().started; })
        .def_prop_ro("clamped_times",
                     [](const Self& self) { return self.checkpoint->totals().clamped_times; })
        .def("progress", [](const Self& self) { return self.checkpoint->totals().progress; })
        .def("errors", [](const Self& self) { return to_list(self.checkpoint->errors()); })
        .def("parts", &paths_of)
        .def(
            "begin_part", [](const Self& self) { return self.checkpoint->begin_part(); },
            WithoutGil())
        .def(
            "commit",
            [](const Self& self, const Mark& mark, std::uint64_t rows) {
                self.checkpoint->commit(mark, rows);
            },
            nb::arg("mark"), nb::arg("rows"), WithoutGil())
        .def(
            "complete_with",
            [](const Self& self, const Mark& mark, std::uint64_t rows) {
                self.checkpoint->complete_with(mark, rows);
            },
            nb::arg("mark"), nb::arg("rows"), WithoutGil())
        .def("write_parts", &write_parts, nb::arg("text"), nb::arg("fd"), nb::arg("name"))
        .def(
            "remove", [](const Self& self) { self.checkpoint->remove(); }, WithoutGil())
        .def("stop", [](const Self& self) { self.checkpoint->stop(); })
        .def(
            "close", [](const Self& self) { self.checkpoint->close(); }, WithoutGil());
}

}  // namespace pwalk_bindings
