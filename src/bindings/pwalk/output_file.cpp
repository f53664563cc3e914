#include "filetree/output_file.hpp"

#include "bindings.hpp"

namespace pwalk_bindings {

using filetree::OutputFile;

void bind_output_file(nb::module_& module) {
    using WithoutGil = nb::call_guard<Unlocked>;
    nb::class_<OutputFile>(module, "OutputFile")
        .def(
            "__init__",
            [](OutputFile* self, const nb::bytes& path) {
                const std::string name = to_string(path);
                const Unlocked unlocked;
                new (self) OutputFile(name);
            },
            nb::arg("path"))
        .def_prop_ro("fd", &OutputFile::fd)
        .def("commit", &OutputFile::commit, WithoutGil())
        .def("discard", &OutputFile::discard, WithoutGil());
}

}  // namespace pwalk_bindings
