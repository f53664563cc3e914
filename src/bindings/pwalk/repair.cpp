#include "filetree/repair.hpp"

#include <nanobind/stl/vector.h>

#include "bindings.hpp"

namespace pwalk_bindings {
namespace {

using filetree::ChangeRecord;
using filetree::Repair;
using filetree::RepairCounts;
using filetree::RepairOptions;
using filetree::RepairRecords;
using filetree::Undo;

// (path, kinds, reason, uid, old gid, new gid, old mode, new mode) of each.
nb::list to_list(const std::vector<ChangeRecord>& records) {
    nb::list list;
    for (const ChangeRecord& record : records) {
        list.append(nb::make_tuple(to_bytes(record.path), record.kinds,
                                   static_cast<unsigned>(record.reason), record.uid, record.old_gid,
                                   record.new_gid, record.old_mode, record.new_mode));
    }
    return list;
}

}  // namespace

void bind_repair(nb::module_& module) {
    module.def("group_exists", &filetree::group_exists, nb::arg("gid"), nb::call_guard<Unlocked>());

    nb::class_<RepairOptions>(module, "RepairOptions")
        .def(
            "__init__",
            [](RepairOptions* self, bool dry_run, std::vector<std::uint32_t> change_gids,
               bool force_group_writable, bool hard_links, const nb::bytes& journal,
               const std::vector<nb::bytes>& exclude, unsigned max_threads, bool ignore_snapshots,
               bool one_file_system) {
                new (self) RepairOptions();
                self->dry_run = dry_run;
                self->change_gids = std::move(change_gids);
                self->force_group_writable = force_group_writable;
                self->hard_links = hard_links;
                self->journal = to_string(journal);
                for (const nb::bytes& path : exclude) {
                    self->walk.exclude.push_back(to_string(path));
                }
                self->walk.max_threads = max_threads;
                self->walk.ignore_snapshots = ignore_snapshots;
                self->walk.one_file_system = one_file_system;
            },
            nb::kw_only(), nb::arg("dry_run"), nb::arg("change_gids"),
            nb::arg("force_group_writable"), nb::arg("hard_links"), nb::arg("journal"),
            nb::arg("exclude"), nb::arg("max_threads"), nb::arg("ignore_snapshots"),
            nb::arg("one_file_system"));

    nb::class_<RepairCounts>(module, "RepairCounts")
        .def_prop_ro("kinds", &kinds_of<RepairCounts>)
        .def_ro("changes", &RepairCounts::changes)
        .def_ro("skipped", &RepairCounts::skipped)
        .def_ro("unlogged", &RepairCounts::unlogged);

    nb::class_<RepairRecords>(module, "RepairRecords")
        .def("counts", &RepairRecords::counts)
        .def(
            "changes",
            [](const RepairRecords& self, std::size_t first, std::size_t count) {
                return to_list(self.changes(first, count));
            },
            nb::arg("first"), nb::arg("count"))
        .def(
            "skipped",
            [](const RepairRecords& self, std::size_t first, std::size_t count) {
                return to_list(self.skipped(first, count));
            },
            nb::arg("first"), nb::arg("count"))
        .def("errors", [](const RepairRecords& self) { return to_list(self.errors()); });

    nb::class_<Repair, RepairRecords>(module, "Repair")
        .def(
            "__init__",
            [](Repair* self, const nb::bytes& top, const RepairOptions& options,
               const FileSystemHandle& handle) {
                const std::string path = to_string(top);
                const Unlocked unlocked;
                new (self) Repair(handle.fs, path, options);
            },
            nb::arg("top"), nb::arg("options"), nb::arg("fs"))
        .def(
            "wait",
            [](Repair& self, double timeout) {
                const Unlocked unlocked;
                return self.wait(to_duration(timeout));
            },
            nb::arg("timeout"))
        .def("close", &Repair::close, nb::call_guard<Unlocked>())
        .def("progress", &Repair::progress);

    nb::class_<Undo, RepairRecords>(module, "Undo")
        .def(
            "__init__",
            [](Undo* self, const nb::bytes& journal, bool dry_run, const FileSystemHandle& handle) {
                const std::string path = to_string(journal);
                const Unlocked unlocked;
                new (self) Undo(handle.fs, path, dry_run);
            },
            nb::arg("journal"), nb::arg("dry_run"), nb::arg("fs"))
        .def(
            "advance",
            [](Undo& self, double time) {
                const Unlocked unlocked;
                return self.advance(to_duration(time));
            },
            nb::arg("time"));
}

}  // namespace pwalk_bindings
