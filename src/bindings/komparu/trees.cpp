
#include <utility>

#include "bindings.hpp"

namespace komparu_bindings {

using filetree::Comparison;
using filetree::MirrorComparison;
using filetree::Pool;
using filetree::TreeComparison;

void bind_trees(nb::module_& module) {
    nb::class_<MirrorComparison, Comparison>(module, "MirrorComparison")
        .def(
            "__init__",
            [](MirrorComparison* self, Pool& pool, const nb::bytes& top, const nb::list& urls,
               const filetree::CompareOptions& options) {
                std::vector<std::pair<std::string, filetree::SourceRef>> named;
                named.reserve(urls.size());
                for (const nb::handle item : urls) {
                    const auto pair = nb::cast<nb::tuple>(item);
                    named.emplace_back(to_string(nb::cast<nb::bytes>(pair[0])), to_source(pair[1]));
                }
                new (self) MirrorComparison(pool, posix_file_system(), to_string(top),
                                            std::move(named), options);
            },
            nb::arg("pool"), nb::arg("top"), nb::arg("urls"), nb::arg("options"))
        .def("differences",
             [](const MirrorComparison& self) { return to_tuple(self.differences()); });

    nb::class_<TreeComparison, Comparison>(module, "TreeComparison")
        .def(
            "__init__",
            [](TreeComparison* self, Pool& pool, const nb::bytes& top_a, const nb::bytes& top_b,
               const filetree::CompareOptions& options, bool follow_symlinks,
               const nb::list& ignore) {
                new (self)
                    TreeComparison(pool, posix_file_system(), to_string(top_a), to_string(top_b),
                                   {options, follow_symlinks, to_strings(ignore)});
            },
            nb::arg("pool"), nb::arg("top_a"), nb::arg("top_b"), nb::arg("options"), nb::kw_only(),
            nb::arg("follow_symlinks"), nb::arg("ignore"))
        .def("differences", [](const TreeComparison& self) { return to_tuple(self.differences()); })
        .def("progress", [](const TreeComparison& self) {
            const TreeComparison::Progress now = self.progress();
            return nb::make_tuple(now.files, now.bytes);
        });
}

}  // namespace komparu_bindings
