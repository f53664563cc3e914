#include "bindings.hpp"

namespace komparu_bindings {

using filetree::Comparison;
using filetree::GroupComparison;
using filetree::Pool;

void bind_groups(nb::module_& module) {
    nb::class_<GroupComparison, Comparison>(module, "GroupComparison")
        .def(
            "__init__",
            [](GroupComparison* self, Pool& pool, const nb::list& paths,
               const filetree::CompareOptions& options, bool only_whether) {
                new (self) GroupComparison(pool, posix_file_system(), to_strings(paths), options,
                                           only_whether);
            },
            nb::arg("pool"), nb::arg("paths"), nb::arg("options"), nb::kw_only(),
            nb::arg("only_whether"))
        .def_prop_ro("all_equal", &GroupComparison::all_equal)
        .def_prop_ro("bytes_read", &GroupComparison::bytes_read)
        .def("groups", [](const GroupComparison& self) {
            nb::list groups;
            for (const std::size_t group : self.groups()) groups.append(group);
            return groups;
        });
}

}  // namespace komparu_bindings
