#include "bindings.hpp"

namespace komparu_bindings {

using filetree::Comparison;
using filetree::GroupComparison;
using filetree::Pool;

namespace {

std::vector<filetree::SourceRef> to_sources(const nb::list& list) {
    std::vector<filetree::SourceRef> sources;
    sources.reserve(list.size());
    for (const nb::handle source : list) sources.push_back(to_source(nb::borrow(source)));
    return sources;
}

}  // namespace

void bind_groups(nb::module_& module) {
    nb::class_<GroupComparison, Comparison>(module, "GroupComparison")
        .def(
            "__init__",
            [](GroupComparison* self, Pool& pool, const nb::list& sources,
               const filetree::CompareOptions& options, bool only_whether) {
                new (self) GroupComparison(pool, posix_file_system(), to_sources(sources), options,
                                           only_whether);
            },
            nb::arg("pool"), nb::arg("sources"), nb::arg("options"), nb::kw_only(),
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
